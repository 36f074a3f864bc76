import Leasehold
import LeaseholdTestKit
import Testing

@Suite struct IdempotencyTests {
  private let scene = Scene()

  private func keyed(_ request: inout AcquireRequest) { request.idempotencyKey = "key" }

  @Test func aKeyCountsOnItsLockOnly() {
    scene.acquire("ann", "a", keyed)
    scene.acquire("bob", "b", keyed)
    #expect(scene.leases["ann"]?.id != scene.leases["bob"]?.id && scene.leases["bob"]?.replayed == false)
  }

  @Test func aRetryWithOtherParametersIsRefused() {
    scene.acquire("ann", "a", keyed)
    #expect(
      scene.acquire("ann") {
        keyed(&$0); $0.owner = "ann"
      } == .idempotencyMismatch)
    scene.queue("bob") { $0.idempotencyKey = "other" }
    #expect(
      scene.queue("bob") {
        $0.idempotencyKey = "other"; $0.ttl = .seconds(1)
      } == .idempotencyMismatch)
  }

  @Test func aRetryTakesTheFirstOnesPlaceInTheQueue() throws {
    scene.acquire("ann")
    scene.queue("bob", "a", for: .seconds(600), keyed)
    scene.queue("cat")
    let first = try #require(scene.clients["bob"])
    scene.queue("bob", "a", for: .seconds(600), keyed)
    #expect(first.refusal?.code == .superseded && scene.waits("bob"))
    #expect(scene.flaws().isEmpty && scene.ledger.status().waiters == 2)
    scene.release("ann")
    #expect(scene.has("bob") && scene.waits("cat"))
    #expect(first.answers == 1)
  }

  @Test func aRetryThatDoesNotWaitLeavesTheOtherInItsPlace() {
    scene.acquire("ann")
    scene.queue("bob", "a", for: .seconds(600), keyed)
    #expect(scene.acquire("retry", "a", keyed) == .locked)
    #expect(scene.waits("bob") && scene.flaws().isEmpty)
  }

  @Test func aWaiterThatGaveUpMayComeAgain() {
    scene.acquire("ann")
    scene.queue("bob", "a", for: .seconds(1), keyed)
    scene.pass(.seconds(1))
    #expect(scene.refusal("bob") == .waitTimeout)
    scene.queue("bob", "a", for: .seconds(600), keyed)
    #expect(scene.waits("bob"))
    scene.cancel("bob")
    scene.release("ann")
    #expect(scene.acquire("bob", "a", keyed) == nil)
  }

  @Test func aRetryAfterTheEndHearsHowItEnded() {
    scene.acquire("ann", "a", keyed)
    scene.release("ann")
    #expect(scene.acquire("ann", "a", keyed) == .released)
    scene.acquire("bob", "b") {
      keyed(&$0); $0.ttl = .seconds(1)
    }
    scene.pass(.seconds(1))
    #expect(
      scene.acquire("bob", "b") {
        keyed(&$0); $0.ttl = .seconds(1)
      } == .expired)
  }

  @Test func aForgottenEndMakesTheKeyNew() {
    var limits = Limits()
    limits.tombstoneAge = .seconds(10)
    let scene = Scene(limits)
    scene.acquire("ann", "a", keyed)
    scene.release("ann")
    scene.pass(.seconds(11))
    scene.keepHouse()
    #expect(scene.end("ann") == .noSuchLease)
    #expect(scene.acquire("ann", "a", keyed) == nil)
  }

  @Test func aRetryAfterAnAnswerThatWasNeverDeliveredGetsANewLease() throws {
    scene.acquire("ann", "a", keyed)
    let first = try #require(scene.leases["ann"])
    scene.history.letGo(first.id)
    scene.ledger.withdraw(.grant(first.grant), at: scene.daemon.moment)
    #expect(scene.acquire("ann", "a", keyed) == nil)
    #expect(scene.leases["ann"]?.id != first.id && scene.leases["ann"]?.replayed == false)
    #expect(scene.flaws().isEmpty)
  }

  @Test(arguments: [["a"], ["a", "b"]], [false, true])
  func aLeaseThatARetryWasToldOfOutlivesTheAnswerThatWasNotDelivered(_ locks: [String], _ waits: Bool) throws {
    func ask() {
      scene.acquire("ann", several: locks) {
        keyed(&$0[0]); $0[0].wait = .seconds(60)
      }
    }
    if waits { scene.acquire("bob") }
    ask()
    if waits { scene.release("bob") }
    let first = try #require(scene.leases["ann"])
    ask()
    let second = try #require(scene.leases["ann"])
    #expect(second.id == first.id && second.grant != first.grant)
    scene.ledger.withdraw(.grant(first.grant), at: scene.daemon.moment)
    #expect(scene.end("ann") == nil && scene.has("ann"))
    scene.history.letGo(first.id)
    scene.ledger.withdraw(.grant(second.grant), at: scene.daemon.moment)
    #expect(scene.end("ann") == .undelivered && scene.flaws().isEmpty)
  }

  @Test(arguments: ["k", String(repeating: "key", count: 85)]) func aRetryAfterARestartGetsTheLeaseItHad(_ key: String)
  {
    scene.acquire("ann") {
      $0.idempotencyKey = key; $0.owner = "ann"
    }
    let first = scene.leases["ann"]
    scene.restart()
    scene.acquire("ann") {
      $0.idempotencyKey = key; $0.owner = "ann"
    }
    #expect(scene.leases["ann"]?.id == first?.id && scene.leases["ann"]?.owner == "ann")
    #expect(scene.ledger.status().leases == 1 && scene.ledger.counters.replayed == 1)
    #expect(scene.acquire("ann") { $0.idempotencyKey = key } == .idempotencyMismatch)
  }
}
