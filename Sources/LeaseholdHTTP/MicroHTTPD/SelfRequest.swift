import CMicroHTTPD
import Glibc

/// Finds out from inside how a listening socket is served.
enum SelfRequest {
  /// Connects to the listening socket `descriptor`, asks, and waits at most `milliseconds` for an answer.
  ///
  /// Anything that comes back is an answer, even a closed connection: a thread looked at the request. Blocks.
  static func isAnswered(by descriptor: Int32, within milliseconds: Int64) -> Bool {
    let patience = timeval(tv_sec: Int(milliseconds / 1000), tv_usec: Int(max(1, milliseconds % 1000 * 1000)))
    return connected(to: descriptor, patience) { caller in
      var byte: UInt8 = 0
      return ask(caller, "GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n")
        && (recv(caller, &byte, 1, 0) >= 0 || errno == ECONNRESET)
    } ?? false
  }

  /// Asks so many times on one connection, each time after an answer, and says how many answers came in all.
  ///
  /// Blocks, at most `patience` for each.
  static func answers(to requests: Int, by descriptor: Int32, within patience: timeval) -> Int {
    connected(to: descriptor, patience) { caller in
      var text: [UInt8] = []
      func read() -> Bool {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 4096) { bytes in
          let count = recv(caller, bytes.baseAddress, bytes.count, 0)
          if count > 0 { text += bytes[..<count] }
          return count > 0
        }
      }
      for _ in 0..<requests {
        guard ask(caller, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"), read() else { return 0 }
      }
      shutdown(caller, Int32(SHUT_WR))
      while read() {}
      let answers = String(decoding: text, as: UTF8.self)
      return answers.split(separator: "HTTP/1.1 ", omittingEmptySubsequences: false).count - 1
    } ?? 0
  }

  private static func ask(_ caller: Int32, _ request: String) -> Bool {
    var request = request
    return request.withUTF8 { send(caller, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) } > 0
  }

  /// Runs `body` with a connection to the listening socket; `nil` where there is none.
  private static func connected<Result>(
    to descriptor: Int32, _ patience: timeval, _ body: (Int32) -> Result
  ) -> Result? {
    withAddress { address, size in
      guard getsockname(descriptor, address, size) == 0 else { return nil }
      let caller = socket(Int32(address.pointee.sa_family), Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
      guard caller >= 0 else { return nil }
      defer { close(caller) }
      var patience = patience
      for option in [SO_SNDTIMEO, SO_RCVTIMEO] {
        setsockopt(caller, SOL_SOCKET, option, &patience, socklen_t(MemoryLayout<timeval>.size))
      }
      return connect(caller, address, size.pointee) == 0 ? body(caller) : nil
    }
  }
}
