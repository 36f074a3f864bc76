import LeaseholdTestKit
import Testing

@testable import Leasehold

/// A waiter with an Idempotency-Key whose connection breaks keeps its place for two seconds.
@Suite struct BrokenConnectionTests {
  private func keyed(_ request: inout AcquireRequest) { request.idempotencyKey = "key" }

  /// Ann holds the lock, bob's connection broke while he waited, cat is behind him.
  private func scene() -> Scene {
    let scene = Scene()
    scene.acquire("ann")
    scene.queue("bob", "a", for: .seconds(600), keyed)
    scene.queue("cat")
    scene.cancel("bob")
    return scene
  }

  @Test func aRetryFindsItsPlaceBeforeTheOthers() {
    let scene = scene()
    #expect(scene.ledger.status().waiters == 2 && scene.flaws().isEmpty)
    scene.pass(.seconds(1))
    scene.queue("bob", "a", for: .seconds(600), keyed)
    #expect(scene.waits("bob") && scene.flaws().isEmpty)
    scene.pass(.seconds(5))
    scene.release("ann")
    #expect(scene.has("bob") && scene.waits("cat") && scene.flaws().isEmpty)
  }

  @Test func whatBecomesFreeMeanwhileIsKeptForTheRetry() throws {
    let scene = scene()
    scene.release("ann")
    #expect(!scene.has("cat") && scene.free() == Limits.readerUnits && scene.flaws().isEmpty)
    #expect(try scene.ledger.lock(Scene.key("a")).waiters.first?.isDetached == true)
    #expect(scene.acquire("dan") == .locked)
    #expect(scene.refusals["dan"]?.detail.contains("is free, but kept") == true)
    scene.queue("bob", "a", for: .seconds(600), keyed)
    #expect(scene.has("bob") && scene.waits("cat") && scene.flaws().isEmpty)
  }

  @Test func aRetryThatDoesNotWaitGetsItToo() {
    let scene = scene()
    #expect(scene.acquire("bob", "a", keyed) == .locked, "ann has it")
    scene.release("ann")
    #expect(scene.acquire("bob", "a", keyed) == nil && scene.leases["bob"]?.replayed == false)
    #expect(scene.waits("cat") && scene.ledger.status().waiters == 1 && scene.flaws().isEmpty)
    scene.release("bob")
    #expect(scene.has("cat"))
  }

  @Test func withoutARetryTheOthersGoOnAfterTwoSeconds() {
    let scene = scene()
    scene.release("ann")
    scene.pass(.milliseconds(1999))
    #expect(scene.waits("cat") && scene.ledger.counters.canceled == 0)
    scene.pass(.milliseconds(1))
    #expect(scene.has("cat") && scene.ledger.counters.canceled == 1 && scene.ledger.counters.timedOut == 0)
    #expect(scene.ledger.status().waiters == 0 && scene.flaws().isEmpty)
    let events = scene.ledger.events(from: 0, limit: 100).events
    #expect(events.contains { $0.kind == .left && $0.reason == "canceled" })
    scene.queue("bob", "a", for: .seconds(600), keyed)
    #expect(scene.waits("bob"), "as a new request")
  }

  @Test func aPlaceIsNotKeptBeyondItsOwnWait() {
    let scene = Scene()
    scene.acquire("ann")
    scene.queue("bob", "a", for: .seconds(1), keyed)
    scene.cancel("bob")
    scene.pass(.seconds(1))
    #expect(scene.ledger.status().waiters == 0 && scene.flaws().isEmpty)
  }

  @Test func withoutAKeyItLeavesAtOnce() {
    let scene = Scene()
    scene.acquire("ann")
    scene.queue("bob")
    scene.queue("cat")
    scene.cancel("bob")
    #expect(scene.ledger.status().waiters == 1)
    scene.release("ann")
    #expect(scene.has("cat"))
  }

  @Test func nobodyOvertakesItOnACountingLock() {
    let scene = Scene()
    for who in ["ann", "amy"] { scene.acquire(who) { $0.limit = 2 } }
    scene.queue("bob") {
      ($0.limit, $0.count, $0.idempotencyKey) = (2, 2, "key")
    }
    scene.queue("cat") { $0.limit = 2 }
    scene.cancel("bob")
    scene.release("ann")
    #expect(!scene.has("cat") && scene.flaws().isEmpty)
    scene.release("amy")
    scene.queue("bob") {
      ($0.limit, $0.count, $0.idempotencyKey) = (2, 2, "key")
    }
    #expect(scene.has("bob") && scene.waits("cat"))
  }

  @Test func ofSeveralLocksAllPlacesAreKept() {
    let scene = Scene()
    let bob = { (wants: inout [AcquireRequest]) in
      (wants[0].wait, wants[0].idempotencyKey) = (.seconds(60), "key")
    }
    scene.acquire("ann", "a")
    scene.acquire("bob", several: ["a", "b"], bob)
    scene.queue("cat", "b")
    scene.queue("dan", "a")
    scene.cancel("bob")
    scene.release("ann")
    #expect(scene.waits("cat") && scene.waits("dan") && scene.flaws().isEmpty)
    scene.acquire("bob", several: ["a", "b"], bob)
    #expect(scene.has("bob") && scene.waits("cat") && scene.waits("dan") && scene.flaws().isEmpty)
    scene.release("bob")
    #expect(scene.has("cat") && scene.has("dan"))
    scene.acquire("eve", several: ["a", "b"], bob)
    scene.cancel("eve")
    scene.release("cat")
    scene.release("dan")
    scene.queue("fay", "b")
    scene.pass(.seconds(2))
    #expect(scene.has("fay") && scene.flaws().isEmpty)
  }

  @Test func nothingIsTakenInTheKernelForWhoIsGone() {
    let scene = Scene()
    scene.acquire("ann") { $0.limit = 1 }
    scene.release("ann")
    scene.nativeTakes(1)
    scene.queue("bob") { ($0.limit, $0.idempotencyKey) = (1, "key") }
    #expect(scene.daemon.waiting.count == 1)
    scene.cancel("bob")
    #expect(scene.daemon.waiting.count == 0 && scene.flaws().isEmpty)
    scene.nativeGives(1)
    #expect(scene.free() == 1)
    scene.queue("bob") { ($0.limit, $0.idempotencyKey) = (1, "key") }
    #expect(scene.has("bob") && scene.flaws().isEmpty)
  }

  @Test func whenTheServiceStopsNobodyIsKept() {
    let scene = scene()
    scene.ledger.drain()
    scene.hear()
    #expect(scene.ledger.status().waiters == 0 && scene.refusal("cat") == .draining)
  }

  @Test func aLockThatIsRemovedKeepsNoPlace() {
    let scene = scene()
    scene.remove(force: true)
    #expect(scene.ledger.status().waiters == 0 && scene.refusal("cat") == .lockRemoved && scene.flaws().isEmpty)
  }
}
