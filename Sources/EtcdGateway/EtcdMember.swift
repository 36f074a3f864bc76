internal import Glibc
internal import HTTPExchange
import Synchronization

/// An endpoint with the connections to it that no call uses just now.
final class EtcdMember: Sendable {
  /// The most connections that are kept.
  private static let idleMax = 64

  let peer: HTTPPeer
  private let idle = Mutex<[HTTPConnection]>([])

  init(_ peer: HTTPPeer) { self.peer = peer }

  /// Its address.
  var name: String { "\(peer.address)" }

  /// Asks once and waits for the answer, until the deadline.
  func ask(
    _ path: String, _ body: [UInt8], method: String = "POST", token: String?, before deadline: Int64
  ) -> Attempt {
    let connection = idle.withLock { $0.popLast() } ?? HTTPConnection(peer)
    do throws(HTTPFailure) {
      try connection.open(before: deadline)
    } catch {
      return .failed("\(name): \(words(of: error))", mayBeDone: false)
    }
    do throws(HTTPFailure) {
      let response = try connection.exchange(request(method, path, body, token), before: deadline)
      idle.withLock { if $0.count < Self.idleMax { $0.append(connection) } }
      return Attempt(response, from: name)
    } catch {
      return .failed("\(name): \(words(of: error))", mayBeDone: true)
    }
  }

  /// Sends a request whose answer has no end, over a connection of its own.
  func stream(
    _ path: String, _ body: [UInt8], token: String?, over connection: HTTPConnection, before deadline: Int64
  ) throws(HTTPFailure) -> ResponseReader {
    try connection.begin(request("POST", path, body, token), before: deadline)
  }

  private func request(_ method: String, _ path: String, _ body: [UInt8], _ token: String?) -> [UInt8] {
    var text = "\(method) \(path) HTTP/1.1\r\nHost: \(peer.address.hostHeader)\r\n"
    if let token { text += "Authorization: \(token)\r\n" }
    if method == "POST" { text += "Content-Type: application/json\r\nContent-Length: \(body.count)\r\n" }
    return Array((text + "\r\n").utf8) + body
  }

  /// The words for people.
  func words(of failure: HTTPFailure) -> String {
    switch failure {
    case .timedOut: "no answer in time"
    case .aborted: "called off"
    case .unknownHost(let reason): "the name cannot be resolved: \(reason)"
    case .system(EPROTO): "what answers is not HTTP"
    case .system(let code): peer.address.reason(of: code)
    case .tls(let trouble): trouble.text
    }
  }
}
