import Leasehold
import LeaseholdTestKit
import Testing

@Suite struct AcquireTests {
  private let scene = Scene()

  @Test func aFreeLockIsGrantedAtOnce() throws {
    #expect(scene.acquire("ann") == nil)
    let lease = try #require(scene.leases["ann"])
    #expect(lease.kind == .readersWriter && lease.mode == .exclusive && lease.units == Limits.readerUnits)
    #expect(lease.deadline == scene.daemon.clock.now + .seconds(30) && !lease.replayed && lease.waited == .zero)
    #expect(scene.free() == 0)
    #expect(lease.fence == scene.daemon.moment.wallMicroseconds)
    #expect(scene.flaws().isEmpty)
  }

  @Test func aHeldLockIsRefusedAndSaysWhoHoldsIt() {
    scene.acquire("ann") { $0.owner = "ann" }
    #expect(scene.acquire("bob") == .locked)
    let error = scene.refusals["bob"]
    #expect(error?.contention?.holders.map(\.owner) == ["ann"])
    #expect(error?.retryAfter == .seconds(30))
    #expect(scene.ledger.counters.busy == 1)
  }

  @Test func aSecondReleaseSaysSo() throws {
    scene.acquire("ann")
    let lease = try #require(scene.leases["ann"])
    #expect(try scene.ledger.release(lease.id, key: nil, at: scene.daemon.moment).already == false)
    #expect(try scene.ledger.release(lease.id, key: nil, at: scene.daemon.moment).already == true)
    #expect(scene.ledger.counters.ended[Int(EndReason.released.rawValue)] == 1)
  }

  @Test func aLeaseIsKnownOnItsOwnLockOnly() throws {
    scene.acquire("ann", "a")
    let lease = try #require(scene.leases["ann"])
    let wrong = scene.attempt { () throws(LeaseholdError) in
      _ = try scene.ledger.release(lease.id, key: Scene.key("b"), at: scene.daemon.moment)
    }
    #expect(wrong == .noSuchLease && scene.has("ann"))
    let unknown = scene.attempt { () throws(LeaseholdError) in
      _ = try scene.ledger.release(LeaseID(high: 1, low: 1), key: nil, at: scene.daemon.moment)
    }
    #expect(unknown == .noSuchLease)
  }

  @Test func readersShareAndAWriterIsAlone() {
    #expect(scene.acquire("ann") { $0.mode = .shared } == nil)
    #expect(scene.acquire("bob") { $0.mode = .shared } == nil)
    #expect(scene.acquire("cat") == .locked)
    #expect(scene.free() == Limits.readerUnits - 2)
    scene.release("ann")
    scene.release("bob")
    #expect(scene.acquire("cat") == nil)
    #expect(scene.acquire("dan") { $0.mode = .shared } == .locked)
    #expect(scene.flaws().isEmpty)
  }

  @Test func aCountingLockHasAsManySlotsAsItsLimit() {
    #expect(
      scene.acquire("ann") {
        $0.limit = 5; $0.count = 3
      } == nil)
    #expect(
      scene.acquire("bob") {
        $0.limit = 5; $0.count = 3
      } == .locked)
    #expect(
      scene.acquire("bob") {
        $0.limit = 5; $0.count = 2
      } == nil)
    #expect(scene.free() == 0)
    #expect(scene.flaws().isEmpty)
  }

  @Test func theGreatestLimitFitsASemaphore() {
    #expect(
      scene.acquire("ann") {
        $0.limit = Limits.slots; $0.count = Limits.slots
      } == nil)
    #expect(scene.free() == 0)
    scene.release("ann")
    #expect(scene.free() == Limits.slots && scene.flaws().isEmpty)
  }

  @Test func moreThanTheLimitCanNeverBeHad() {
    #expect(
      scene.acquire("ann") {
        $0.limit = 5; $0.count = 6
      } == .countExceedsLimit)
    #expect(scene.acquire("ann") { $0.count = 2 } == .countExceedsLimit)
    #expect(scene.refusals["ann"]?.facts.contains { $0.name == "limit" && $0.value == .number(1) } == true)
    #expect(scene.ledger.status().locks == 0)
  }

  @Test func aLockInUseKeepsItsKindAndLimit() {
    scene.acquire("ann", "counting") { $0.limit = 5 }
    #expect(scene.acquire("bob", "counting") { $0.limit = 6 } == .limitMismatch)
    let refusal = scene.refusals["bob"]
    #expect(refusal?.fact("limit") == .number(5) && refusal?.fact("asked_limit") == .number(6))
    #expect(scene.acquire("bob", "counting") == .kindMismatch)
    scene.acquire("ann", "rw")
    #expect(scene.acquire("bob", "rw") { $0.limit = 5 } == .kindMismatch)
    #expect(scene.flaws().isEmpty)
  }

  @Test func anIdleLockTakesTheKindOfWhoComesNext() {
    scene.acquire("ann") { $0.limit = 5 }
    scene.release("ann")
    #expect(
      scene.acquire("bob") {
        $0.limit = 7; $0.count = 7
      } == nil)
    scene.release("bob")
    #expect(scene.acquire("cat") == nil)
    #expect(scene.leases["cat"]?.kind == .readersWriter && scene.ledger.status().locks == 1)
    #expect(scene.flaws().isEmpty)
  }

  @Test func aLockThatANativeProcessHoldsIsNotIdle() {
    scene.acquire("ann") { $0.limit = 5 }
    scene.release("ann")
    scene.nativeTakes(1)
    #expect(scene.acquire("bob") == .kindMismatch)
    #expect(
      scene.acquire("bob") {
        $0.limit = 5; $0.count = 5
      } == .locked)
    #expect(
      scene.acquire("bob") {
        $0.limit = 5; $0.count = 4
      } == nil)
    #expect(scene.flaws().isEmpty)
  }

  @Test func fencesGrowEvenWhenTheWallClockIsSetBack() throws {
    var last: Int64 = 0
    for who in ["ann", "bob", "cat"] {
      scene.acquire(who, who)
      let fence = try #require(scene.leases[who]).fence
      #expect(fence > last)
      last = fence
      scene.daemon.clock.shiftWall(by: .seconds(-3600))
    }
    scene.restart()
    scene.acquire("dan", "dan")
    #expect(try #require(scene.leases["dan"]).fence > last)
  }
}
