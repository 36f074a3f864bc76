import Leasehold
import LeaseholdTestKit
import Testing

@Suite struct BreakTests {
  private let scene = Scene()

  @Test func aBrokenLeaseIsOverAtOnceAndItsHolderIsToldWhy() {
    scene.acquire("ann")
    scene.queue("bob")
    #expect(scene.breaks("ann", reason: "the host goes down") == nil && scene.has("bob"))
    let problem = scene.problem("ann")
    #expect(problem?.code == .broken && problem?.fact("break_reason") == .text("the host goes down"))
    #expect(problem?.fact("reason") == .text("broken") && scene.renew("ann") == .broken)
    #expect(scene.release("ann") == .broken && scene.breaks("ann") == .broken && scene.flaws().isEmpty)
    #expect(scene.ledger.counters.ended[Int(EndReason.broken.rawValue)] == 1)
  }

  @Test func aGraceShortensTheDeadlineAndIsNotRenewed() throws {
    scene.acquire("ann") { $0.ttl = .seconds(60) }
    let renewed = scene.daemon.clock.now
    #expect(scene.breaks("ann", after: .seconds(10), reason: "maintenance") == nil)
    let id = try #require(scene.leases["ann"]?.id)
    let shown = try scene.ledger.lease(id)
    #expect(shown.isBreaking && shown.breaking?.reason == "maintenance" && shown.deadline == renewed + .seconds(10))
    #expect(scene.renew("ann") == .broken && scene.has("ann"))
    #expect(scene.breaks("ann", after: .seconds(50)) == nil)
    #expect(try scene.ledger.lease(id).deadline == renewed + .seconds(10))
    scene.pass(.seconds(11))
    #expect(scene.problem("ann")?.code == .broken && scene.problem("ann")?.fact("break_reason") == .text("maintenance"))
  }

  @Test func aBreakWithAGraceIsAnEventAndItsEndAnother() throws {
    scene.acquire("ann", several: ["a", "b"])
    scene.breaks("ann", after: .seconds(10), reason: "maintenance")
    scene.pass(.seconds(11))
    let events = scene.ledger.events(from: 0, limit: 100).events.filter { [.breaking, .broken].contains($0.kind) }
    #expect(events.map(\.key) == ["a", "b", "a", "b"])
    #expect(events.map(\.kind) == [.breaking, .breaking, .broken, .broken])
    #expect(events.allSatisfy { $0.breaking?.reason == "maintenance" })
    let told = try #require(events.first)
    #expect(told.breaking?.end == MonotonicInstant(nanoseconds: told.at) + .seconds(10))
  }

  @Test func aLeaseWithLittleTimeLeftGetsNoMore() throws {
    scene.acquire("ann") { $0.ttl = .seconds(5) }
    scene.breaks("ann", after: .seconds(10))
    scene.pass(.seconds(6))
    #expect(scene.problem("ann")?.code == .broken)
  }

  @Test func aLeaseWithoutADeadlineGetsOne() {
    scene.acquire("ann") {
      $0.bindsConnection = true; $0.ttl = .zero
    }
    scene.breaks("ann", after: .seconds(10))
    scene.pass(.seconds(9))
    #expect(scene.has("ann"))
    scene.pass(.seconds(2))
    #expect(scene.problem("ann")?.code == .broken && scene.flaws().isEmpty)
  }

  @Test func whoIsBrokenMayStillRelease() {
    scene.acquire("ann")
    scene.breaks("ann", after: .seconds(10))
    #expect(scene.release("ann") == nil && scene.problem("ann")?.code == .released)
    #expect(scene.problem("ann")?.fact("break_reason") == nil)
  }

  @Test func theSlotsCoolDownAfterABreak() {
    for after in [TimeSpan.zero, .seconds(1)] {
      scene.acquire("ann") { $0.cooldown = .seconds(5) }
      scene.breaks("ann", after: after)
      scene.pass(.seconds(2))
      #expect(scene.problem("ann")?.code == .broken && scene.acquire("bob") == .locked)
      scene.pass(.seconds(10))
      #expect(scene.acquire("bob") == nil)
      scene.release("bob")
    }
    #expect(scene.flaws().isEmpty)
  }

  @Test func aRestartKeepsTheEndAndLosesTheReason() {
    scene.acquire("ann") { $0.ttl = .seconds(60) }
    scene.acquire("bob", "b") { $0.ttl = .seconds(60) }
    scene.breaks("ann", after: .seconds(10), reason: "maintenance")
    scene.breaks("bob", after: .milliseconds(500))
    scene.restart()
    #expect(scene.renew("ann") == .broken && scene.has("ann"))
    // No grace of recovery: the operator's was enough.
    scene.pass(.seconds(1))
    #expect(scene.problem("bob")?.code == .broken && scene.has("ann"))
    scene.pass(.seconds(10))
    let problem = scene.problem("ann")
    #expect(problem?.code == .broken && problem?.fact("break_reason") == LeaseholdError.Value.null)
  }

  @Test func onlyWhoMayBreaks() {
    scene.acquire("ann") { $0.caller = $0.caller.with(peer: .local(pid: 5, uid: 1000, gid: 1000)) }
    let id = scene.leases["ann"]?.id ?? LeaseID(high: 0, low: 0)
    var request = BreakRequest(.id(id), caller: Scene.request("a").caller)
    request.onlyOf = 1001
    #expect(refusal(of: request) == .permissionDenied && scene.has("ann"))
    request.onlyOf = 1000
    scene.history.letGo { _ in true }
    #expect(refusal(of: request) == nil && !scene.has("ann"))
    #expect(refusal(of: BreakRequest(.ref(1), caller: request.caller)) == .noSuchLease)
  }

  private func refusal(of request: BreakRequest) -> LeaseholdError.Code? {
    scene.attempt { () throws(LeaseholdError) in
      _ = try scene.ledger.breakLease(request, at: scene.daemon.moment)
    }
  }

  @Test func endsAreNamedUpToAPointAndThenCounted() {
    for number in 0..<130 {
      scene.acquire("\(number)", "a") {
        $0.mode = .shared; $0.ttl = .seconds(1); $0.owner = "ann"
      }
    }
    scene.pass(.seconds(2))
    let log = scene.ledger.takeEnds(isNewSecond: false)
    #expect(log.lines.count == EndLog.linesMax && log.lines.allSatisfy { $0.owner == "ann" && $0.reason == .expired })
    let rest = scene.ledger.takeEnds(isNewSecond: true)
    #expect(rest.lines.isEmpty && rest.others[Int(EndReason.expired.rawValue)] == 30)
    #expect(scene.ledger.takeEnds(isNewSecond: true).isEmpty)
  }

  @Test func aReleaseIsNoNews() {
    scene.acquire("ann")
    scene.release("ann")
    #expect(scene.ledger.takeEnds(isNewSecond: true).isEmpty)
  }
}
