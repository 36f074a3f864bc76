import LeaseholdTestKit
import Testing

@testable import Leasehold

/// What a 410 says: the same members for every end.
@Suite struct GoneTests {
  private let scene = Scene()

  private static func error(_ scene: Scene, _ id: LeaseID) -> LeaseholdError? {
    do {
      _ = try scene.ledger.renew(id, key: nil, ttl: nil, at: scene.daemon.moment)
      return nil
    } catch {
      return error
    }
  }

  /// What is wrong with the shape of an error.
  private static func flaws(_ error: LeaseholdError?, now: MonotonicInstant) -> [String] {
    guard let error else { return ["there is none"] }
    var wrong = ["key", "ref", "reason", "ended_at"].filter { error.fact($0) == nil }
    if case .instant(let instant)? = error.fact("ended_at"), instant > now.nanoseconds || instant <= 0 {
      wrong.append("it ended at \(instant), and now is \(now.nanoseconds)")
    }
    return wrong
  }

  /// Brings a lease to its end in one of the ways there are; false where that is none of its ways.
  private static func end(_ scene: Scene, _ reason: EndReason) {
    guard let lease = scene.leases["ann"] else { return }
    let moment = scene.daemon.moment
    switch reason.name {
    case "released": scene.release("ann")
    case "ttl": scene.pass(.seconds(31))
    case "broken": scene.breaks("ann", reason: "maintenance")
    case "connection-closed": scene.ledger.withdraw(.connection(7), at: moment)
    case "undelivered": scene.ledger.withdraw(.grant(lease.grant), at: moment)
    case "set-removed":
      scene.removeSet()
      scene.keepHouse()
    case "lock-removed": scene.remove(force: true)
    case "process-exited": scene.daemon.endProcess(4711)
    case "process-lost":
      scene.daemon.processes.hidden = [4711]
      scene.restart()
      scene.pass(.seconds(3))
    case "transferred": scene.transfer("ann", to: "bob")
    default: break
    }
    scene.hear()
  }

  static let cases = EndReason.allCases.flatMap { reason in
    [(reason, false, false), (reason, true, false), (reason, false, true), (reason, true, true)]
  }

  @Test(arguments: cases) func everyEndIsToldInOneShape(_ reason: EndReason, _ several: Bool, _ restarts: Bool) throws {
    let change: (inout AcquireRequest) -> Void = { request in
      if reason == .connectionClosed {
        (request.bindsConnection, request.caller) = (true, request.caller.with(connection: 7))
      }
      if [.processExited, .processLost].contains(reason) {
        request.process = ProcessBinding(scene.daemon.processes.run(4711), name: 4711)
      }
    }
    if several {
      scene.acquire("ann", several: ["a", "b"]) { change(&$0[0]) }
    } else {
      scene.acquire("ann", "a", change)
    }
    let id = try #require(scene.leases["ann"]?.id)
    Self.end(scene, reason)
    scene.history.letGo { _ in true }
    if restarts { scene.restart() }
    let error = Self.error(scene, id)
    // An end that only the words of native programs bring about has tests of its own.
    guard let error else { return #expect(![.released, .broken, .processLost].contains(reason), "it goes on") }
    #expect(Self.flaws(error, now: scene.daemon.clock.now).isEmpty)
    #expect(error.fact("reason") == .text(reason.name) && error.fact("ref") == .text(id.ref))
    if !restarts, reason != .processLost {
      #expect(error.fact("key") == .text("a"))
      #expect(error.fact("locks") == (several ? .texts(["a", "b"]) : nil))
    } else if [.released, .expired, .broken, .undelivered, .connectionClosed].contains(reason) {
      #expect(error.fact("key") == .text("a"), "the lock is there still")
    }
  }

  @Test func afterARestartAKeyIsNotGuessed() throws {
    var limits = Limits()
    limits.idleLocks = .seconds(1)
    let scene = Scene(limits)
    scene.acquire("ann", "a")
    let id = try #require(scene.leases["ann"]?.id)
    scene.release("ann")
    scene.pass(.seconds(2))
    scene.keepHouse()
    scene.acquire("bob", "b")
    scene.restart()
    let error = Self.error(scene, id)
    #expect(error?.code == .released && error?.fact("key") == LeaseholdError.Value.null)
    #expect(try scene.ledger.release(id, key: nil, at: scene.daemon.moment).key == nil)
    #expect(Self.flaws(error, now: scene.daemon.clock.now).isEmpty)
  }

  @Test func aClockThatBeginsAnewEndsNothingInTheFuture() throws {
    scene.pass(.seconds(100))
    scene.acquire("ann")
    scene.acquire("bob", "b")
    let (over, held) = (try #require(scene.leases["ann"]?.id), try #require(scene.leases["bob"]?.id))
    scene.release("ann")
    scene.keepHouse()
    scene.daemon.crash.crashNow()
    scene.daemon.clock.setMonotonic(MonotonicInstant(nanoseconds: 1_000_000_000))
    scene.daemon.restart()
    #expect(Self.flaws(Self.error(scene, over), now: scene.daemon.clock.now).isEmpty)
    #expect(try scene.ledger.lease(held).grantedAt <= scene.daemon.clock.now)
  }

  @Test func aLeaseThatIsBeingBrokenHasNotEnded() throws {
    scene.acquire("ann") { $0.ttl = .seconds(60) }
    scene.breaks("ann", after: .seconds(10), reason: "maintenance")
    let id = try #require(scene.leases["ann"]?.id)
    let error = Self.error(scene, id)
    #expect(error?.code == .broken && error?.fact("ended_at") == LeaseholdError.Value.null)
    let end = (scene.daemon.clock.now + .seconds(10)).nanoseconds
    #expect(error?.fact("ends_at") == .instant(end))
    #expect(error?.fact("broken_by") == .text("unknown"))
    scene.pass(.seconds(11))
    #expect(Self.flaws(Self.error(scene, id), now: scene.daemon.clock.now).isEmpty)
    #expect(Self.error(scene, id)?.fact("ends_at") == nil)
  }

  @Test func whoBrokeItAndWhyIsInTheEventTheAnswerAndTheEnd() throws {
    scene.acquire("ann", several: ["a", "b"])
    let id = try #require(scene.leases["ann"]?.id)
    var request = BreakRequest(.id(id), caller: Caller(connection: 9, peer: .local(pid: 17, uid: 33, gid: 33)))
    request.reason = "maintenance"
    let outcome = try scene.ledger.breakLease(request, at: scene.daemon.moment)
    scene.history.letGo(id)
    #expect(outcome.by == "uid 33, pid 17" && outcome.reason == "maintenance")
    let events = scene.ledger.events(from: 0, limit: 100).events.filter { $0.kind == .broken }
    #expect(events.map(\.key) == ["a", "b"])
    #expect(events.allSatisfy { $0.breaking?.by == "uid 33, pid 17" && $0.breaking?.reason == "maintenance" })
    let error = Self.error(scene, id)
    #expect(error?.fact("broken_by") == .text("uid 33, pid 17"))
    #expect(error?.fact("break_reason") == .text("maintenance"))
  }

  @Test func aTokenIsNamedAsWhoBrokeIt() throws {
    scene.acquire("ann")
    let caller = Caller(
      connection: 9, peer: .local(pid: 17, uid: 33, gid: 33), account: CallerAccount(label: "token ci", token: "ci"))
    let id = try #require(scene.leases["ann"]?.id)
    let outcome = try scene.ledger.breakLease(BreakRequest(.id(id), caller: caller), at: scene.daemon.moment)
    #expect(outcome.by == "token ci")
  }

  @Test func aWaiterWhoseLockIsRemovedIsToldInTheSameShape() {
    scene.acquire("ann")
    scene.queue("bob")
    scene.remove(force: true)
    let error = scene.refusals["bob"]
    #expect(error?.code == .lockRemoved && Self.flaws(error, now: scene.daemon.clock.now).isEmpty)
    #expect(error?.fact("ref") == LeaseholdError.Value.null)
  }
}
