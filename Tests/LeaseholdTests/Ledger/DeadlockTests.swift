import Leasehold
import LeaseholdTestKit
import Testing

@Suite struct DeadlockTests {
  private let scene = Scene()

  /// Somebody waits for a lock and keeps what others have in hand for them.
  @discardableResult
  private func wait(
    _ scene: Scene, _ who: String, for key: String, keeping kept: String...,
    change: (inout AcquireRequest) -> Void = { _ in }
  ) -> LeaseholdError.Code? {
    scene.queue(who, key) { request in
      request.owner = who
      request.holding = kept.compactMap { scene.leases[$0]?.id }
      change(&request)
    }
  }

  @Test func theWaiterThatClosesACircleOfTwoIsRefused() {
    scene.acquire("a of ann", "a")
    scene.acquire("b of bob", "b")
    #expect(wait(scene, "ann", for: "b", keeping: "a of ann") == nil)
    #expect(wait(scene, "bob", for: "a", keeping: "b of bob") == .deadlock)
    let circle = scene.refusals["bob"]?.circle ?? []
    #expect(circle.map(\.owner) == ["bob", "ann"] && circle.map(\.waitsFor?.text) == ["a", "b"])
    #expect(circle.compactMap(\.ref) == ["b of bob", "a of ann"].compactMap { scene.leases[$0]?.ref })
    #expect(scene.refusals["bob"]?.detail.contains("you wait for 'a', which 'ann' holds") == true)
    #expect(scene.waits("ann") && scene.ledger.counters.deadlocks == 1 && scene.flaws().isEmpty)
    scene.release("b of bob")
    #expect(scene.has("ann") && scene.flaws().isEmpty)
  }

  @Test func aCircleOfThreeIsFoundAndAChainIsNot() {
    for (who, key) in [("ann", "a"), ("bob", "b"), ("cat", "c")] { scene.acquire("\(key) of \(who)", key) }
    #expect(wait(scene, "ann", for: "b", keeping: "a of ann") == nil)
    #expect(wait(scene, "bob", for: "c", keeping: "b of bob") == nil)
    #expect(wait(scene, "dan", for: "a") == nil, "who keeps nothing closes no circle")
    #expect(wait(scene, "cat", for: "a", keeping: "c of cat") == .deadlock)
    // In its way stands ann, who holds a, and dan before it in the queue, who keeps nothing.
    #expect(scene.refusals["cat"]?.circle?.map(\.owner) == ["cat", "ann", "bob"])
    #expect(scene.flaws().isEmpty)
  }

  @Test func aCircleNamesNothingThatATokenMayNotUse() {
    for (who, key) in [("ann", "a"), ("bob", "b"), ("cat", "c"), ("dan", "d")] {
      scene.acquire("\(key) of \(who)", key)
    }
    #expect(wait(scene, "ann", for: "b", keeping: "a of ann") == nil)
    #expect(wait(scene, "bob", for: "d", keeping: "b of bob") == nil)
    #expect(wait(scene, "dan", for: "c", keeping: "d of dan") == nil)
    let confined = Confinement(token: "t", prefixes: ["a", "c"], longest: nil)
    let refusal = wait(scene, "cat", for: "a", keeping: "c of cat") {
      $0.caller = $0.caller.with(confinement: confined)
    }
    #expect(refusal == .deadlock)
    let circle = scene.refusals["cat"]?.circle ?? []
    #expect(circle.map(\.waitsFor?.text) == ["a", nil, nil, "c"] && circle.map(\.holds?.text) == ["c", "a", nil, nil])
    #expect(circle.map(\.owner) == ["cat", "ann", nil, "dan"])
    #expect(circle.map { $0.ref != nil } == [true, true, false, false])
    let detail = scene.refusals["cat"]?.detail ?? ""
    #expect(detail.contains("'ann' waits for another lock, behind another; another waits for another lock"))
    #expect(!["'b'", "'d'", "'bob'"].contains(where: detail.contains), "\(detail)")
  }

  @Test func waitingForOneselfIsACircleOfOne() {
    scene.acquire("ann")
    #expect(wait(scene, "again", for: "a", keeping: "ann") == .deadlock)
    #expect(scene.refusals["again"]?.circle?.count == 1 && scene.flaws().isEmpty)
  }

  @Test func aPlaceInAQueueCanBePartOfACircle() {
    scene.acquire("a of ann", "a")
    scene.acquire("bob", several: ["a", "b"]) { ($0[0].wait, $0[0].owner) = (.seconds(60), "bob") }
    #expect(scene.free("b") == Limits.readerUnits)
    #expect(wait(scene, "ann", for: "b", keeping: "a of ann") == .deadlock, "b is free, but bob came first")
    #expect(scene.refusals["ann"]?.circle?.map(\.owner) == ["ann", "bob"])
    scene.release("a of ann")
    #expect(scene.has("bob") && scene.flaws().isEmpty)
  }

  @Test func aFreeSlotElsewhereIsNoDeadlock() {
    for who in ["ann", "cat"] { scene.acquire("s of \(who)", "s") { $0.limit = 2 } }
    scene.acquire("b of bob", "b")
    #expect(wait(scene, "ann", for: "b", keeping: "s of ann") == nil)
    #expect(wait(scene, "bob", for: "s", keeping: "b of bob") { $0.limit = 2 } == nil, "cat may let go")
    #expect(wait(scene, "cat", for: "b", keeping: "s of cat") == .deadlock, "now nobody can")
    scene.release("s of cat")
    #expect(scene.has("bob") && scene.flaws().isEmpty)
  }

  @Test func whatIsBoundToTheWaitingConnectionIsKept() {
    scene.acquire("a of ann", "a") { ($0.bindsConnection, $0.caller) = (true, $0.caller.with(connection: 7)) }
    scene.acquire("b of bob", "b") { ($0.bindsConnection, $0.caller) = (true, $0.caller.with(connection: 8)) }
    #expect(wait(scene, "ann", for: "b") { $0.caller = $0.caller.with(connection: 7) } == nil)
    #expect(wait(scene, "bob", for: "a") { $0.caller = $0.caller.with(connection: 8) } == .deadlock)
    #expect(scene.flaws().isEmpty)
  }

  @Test func anOwnersNameTellsNothing() {
    scene.acquire("a", "a") { $0.owner = "cron" }
    scene.acquire("b", "b") { $0.owner = "web" }
    #expect(wait(scene, "cron", for: "b") == nil && wait(scene, "web", for: "a") == nil)
    #expect(scene.flaws().isEmpty)
  }

  @Test func aLeaseThatIsNotTheirsToKeepIsRefused() {
    scene.acquire("ann")
    scene.acquire("bob", "b")
    scene.release("bob")
    #expect(wait(scene, "cat", for: "a", keeping: "bob") == .released)
    #expect(
      wait(scene, "cat", for: "a") { $0.holding = [LeaseID(high: 1, low: 2)] } == .noSuchLease)
    #expect(scene.ledger.status().waiters == 0 && scene.flaws().isEmpty)
  }

  @Test func anUpgradeAndAWaitCloseACircle() {
    for who in ["ann", "bob"] { scene.acquire("r of \(who)", "r") { $0.mode = .shared } }
    scene.acquire("x of ann", "x")
    #expect(wait(scene, "bob", for: "x", keeping: "r of bob") == nil)
    #expect(
      scene.convert("r of ann", to: .exclusive, for: .seconds(60), as: "ann") {
        $0.holding = scene.leases["x of ann"].map { [$0.id] } ?? []
      } == .deadlock)
    #expect(scene.has("r of ann") && scene.flaws().isEmpty)
  }
}
