import Leasehold
import Testing

@Suite struct AcquireRequestTests {
  static let changes: [@Sendable (inout AcquireRequest) -> Void] = [
    { $0.want.lock.key = Scene.key("b") }, { $0.mode = .shared }, { $0.limit = 1 }, { $0.limit = 2 }, { $0.count = 2 },
    { $0.ttl = .seconds(31) }, { $0.owner = "ann" }, { $0.owner = "bob" }, { $0.bindsConnection = true },
    { $0.cooldown = .seconds(1) },
  ]

  @Test func aRequestThatDiffersHasAnotherFingerprint() {
    let plain = Scene.request("a")
    let all =
      [plain.fingerprint]
      + Self.changes.map { change in
        var request = plain
        change(&request)
        return request.fingerprint
      }
    #expect(Set(all).count == all.count)
  }

  @Test func aRetryMayWaitLongerAndComeOnAnotherConnection() {
    var retry = Scene.request("a", connection: 9)
    retry.wait = .seconds(5)
    retry.maxWaiters = 3
    #expect(retry.fingerprint == Scene.request("a").fingerprint)
  }

  @Test func theLimitDecidesTheKind() {
    var request = Scene.request("a")
    #expect(request.kind == .readersWriter && request.kind.limit == nil)
    request.limit = 4
    #expect(request.kind == .counting(limit: 4) && request.kind.limit == 4)
  }
}
