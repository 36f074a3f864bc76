import CMicroHTTPD
import Glibc

/// Finds out from inside whether a listening socket is served.
enum SelfRequest {
  private static let request = "GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n"

  /// Connects to the listening socket `descriptor`, asks, and waits at most `milliseconds` for an answer.
  ///
  /// Anything that comes back is one, even a connection that is closed: somebody looked at it. Blocks.
  static func isAnswered(by descriptor: Int32, within milliseconds: Int64) -> Bool {
    withAddress { address, size in
      guard getsockname(descriptor, address, size) == 0 else { return false }
      let caller = socket(Int32(address.pointee.sa_family), Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
      guard caller >= 0 else { return false }
      defer { close(caller) }
      var patience = timeval(
        tv_sec: Int(milliseconds / 1000), tv_usec: Int(max(1, milliseconds % 1000 * 1000)))
      for option in [SO_SNDTIMEO, SO_RCVTIMEO] {
        setsockopt(caller, SOL_SOCKET, option, &patience, socklen_t(MemoryLayout<timeval>.size))
      }
      guard connect(caller, address, size.pointee) == 0 else { return false }
      var request = Self.request
      let sent = request.withUTF8 { send(caller, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
      var byte: UInt8 = 0
      return sent > 0 && (recv(caller, &byte, 1, 0) >= 0 || errno == ECONNRESET)
    }
  }
}
