internal import Glibc
internal import HTTPExchange
internal import JSONText
internal import LeaseholdHost
import Synchronization

/// An endpoint with the connections to it that no call uses just now.
final class EtcdMember: Sendable {
  /// The time that an endpoint has where there is another one: nanoseconds.
  static let patience: Int64 = 500_000_000
  /// The time from one look at the others to the next.
  private static let pause: Int64 = 100_000_000
  /// The most connections that are kept.
  private static let idleMax = 64

  let peer: HTTPPeer
  /// Its address.
  let name: String
  private let idle = Mutex<[HTTPConnection]>([])

  init(_ peer: HTTPPeer) { (self.peer, name) = (peer, "\(peer.address)") }

  /// Asks once and waits for the answer, until the deadline.
  ///
  /// - Parameter goesOn: Asked every now and then while no answer comes: false ends the wait.
  func ask(
    _ path: String, _ body: [UInt8], method: String = "POST", token: String?, before deadline: Int64,
    while goesOn: () -> Bool = { false }
  ) -> Attempt {
    let connection = idle.withLock { $0.popLast() } ?? HTTPConnection(peer)
    var end = min(deadline, HostClock.monotonic() + Self.patience)
    var isSent = false
    do throws(HTTPFailure) {
      try connection.open(before: end)
      isSent = true
      let response = try connection.exchange(request(method, path, body, token), before: deadline) { () -> Int64? in
        guard HostClock.monotonic() >= end else { return end }
        guard goesOn() else { return nil }
        end = min(deadline, HostClock.monotonic() + Self.pause)
        return end
      }
      idle.withLock { if $0.count < Self.idleMax { $0.append(connection) } }
      return Attempt(response, from: name)
    } catch {
      return .failed("\(name): \(words(of: error))", mayBeDone: isSent)
    }
  }

  /// Asks for its standing, which it knows without the others.
  func standing(token: String?, before deadline: Int64) -> Standing {
    switch ask("/v3/maintenance/status", Array("{}".utf8), token: token, before: deadline) {
    case .answered(let json):
      switch json["leader"].string ?? "0" {
      case "0": .leaderless
      case let leader:
        .follows(term: max(0, json.int64("raftTerm")), isLeader: json["header"]["member_id"].string == leader)
      }
    case .refused, .wantsToken: .follows(term: 0)
    case .failed: .away
    }
  }

  func request(_ method: String, _ path: String, _ body: [UInt8], _ token: String?) -> [UInt8] {
    var text = "\(method) \(path) HTTP/1.1\r\nHost: \(peer.address.hostHeader)\r\n"
    if let token { text += "Authorization: \(token)\r\n" }
    if method == "POST" { text += "Content-Type: application/json\r\nContent-Length: \(body.count)\r\n" }
    text += "\r\n"
    return Array(text.utf8) + body
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
