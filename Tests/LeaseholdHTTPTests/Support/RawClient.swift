import Glibc

@testable import LeaseholdHTTP

/// A socket that sends what it is told, byte for byte, and reads answers.
final class RawClient {
  private(set) var descriptor: Int32
  private var received: [UInt8] = []

  struct Answer {
    var status = 0
    var headers: [String: String] = [:]
    var body = ""
  }

  init(port: UInt16) {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    _ = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    patience()
  }

  init(path: String) {
    descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_un(path: path) ?? sockaddr_un()
    _ = address.withSocketAddress { connect(descriptor, $0, $1) }
    patience()
  }

  deinit { hangUp() }

  /// A read that gets nothing for this long has failed; generous, as the machine may be busy.
  private func patience() {
    var limit = timeval(tv_sec: 20, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
  }

  @discardableResult
  func send(_ text: String) -> RawClient {
    sendBytes(Array(text.utf8))
    return self
  }

  func sendBytes(_ bytes: [UInt8]) {
    var sent = 0
    while sent < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress.map { $0 + sent }, bytes.count - sent, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { return }
      sent += count
    }
  }

  /// A request with a Host and without a body.
  @discardableResult
  func request(_ method: String, _ target: String) -> RawClient {
    send("\(method) \(target) HTTP/1.1\r\nHost: localhost\r\n\r\n")
  }

  func halfClose() { shutdown(descriptor, Int32(SHUT_WR)) }

  func hangUp() {
    if descriptor >= 0 { close(descriptor) }
    descriptor = -1
  }

  /// Closes with a reset instead of a FIN.
  func reset() {
    var linger = linger(l_onoff: 1, l_linger: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout.size(ofValue: linger)))
    hangUp()
  }

  /// Reads one answer; `nil` when the connection ends first.
  func answer(head: Bool = false) -> Answer? {
    guard let lines = readHead() else { return nil }
    var answer = Answer()
    answer.status = Int(lines[0].split(separator: " ")[1]) ?? 0
    for line in lines.dropFirst() {
      guard let colon = line.firstIndex(of: ":") else { continue }
      let value = line[line.index(after: colon)...].drop { $0 == " " }
      answer.headers[line[..<colon].lowercased()] = String(value)
    }
    if head || answer.status < 200 { return answer }
    if answer.headers["transfer-encoding"] == "chunked" {
      while let chunk = chunk(), !chunk.isEmpty { answer.body += chunk }
    } else if let length = answer.headers["content-length"].flatMap({ Int($0) }) {
      guard let bytes = take(length) else { return nil }
      answer.body = String(decoding: bytes, as: UTF8.self)
    }
    return answer
  }

  /// Reads one chunk of a chunked body; empty is the last, `nil` is a connection that ended.
  func chunk() -> String? {
    guard let size = line().flatMap({ Int($0, radix: 16) }), let bytes = take(size), take(2) != nil else { return nil }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Whether the server has closed the connection; waits for it.
  func isClosed() -> Bool {
    while fill() {}
    return errno != EAGAIN
  }

  private func readHead() -> [String]? {
    var lines: [String] = []
    while let line = line() {
      if line.isEmpty { return lines.isEmpty ? nil : lines }
      lines.append(line)
    }
    return nil
  }

  private func line() -> String? {
    while true {
      if let end = received.firstIndex(of: 0x0A) {
        let line = received[..<end]
        received.removeSubrange(...end)
        return String(decoding: line.last == 0x0D ? line.dropLast() : line, as: UTF8.self)
      }
      guard fill() else { return nil }
    }
  }

  private func take(_ count: Int) -> [UInt8]? {
    while received.count < count { guard fill() else { return nil } }
    defer { received.removeFirst(count) }
    return Array(received[..<count])
  }

  private func fill() -> Bool {
    errno = 0
    let more = [UInt8](unsafeUninitializedCapacity: 65_536) { buffer, count in
      count = max(0, recv(descriptor, buffer.baseAddress, 65_536, 0))
    }
    received += more
    return !more.isEmpty
  }
}
