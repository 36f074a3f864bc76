import Leasehold
import LeaseholdTestKit
import Testing

/// Idempotency-Keys that are taken back.
@Suite struct CancelTests {
  private let scene = Scene()

  private func keyed(_ request: inout AcquireRequest) { request.idempotencyKey = "key" }

  @Test func whatAKeyGotIsFreeAtOnce() throws {
    scene.acquire("ann", "a", keyed)
    scene.queue("bob")
    let lease = try #require(scene.leases["ann"])
    let outcome = try #require(scene.takeBack("key", of: "ann"))
    #expect(outcome.leases == [lease.ref] && outcome.waiters == 0)
    #expect(scene.end("ann") == .released && scene.has("bob") && scene.flaws().isEmpty)
    #expect(scene.takeBack("key", of: "ann")?.leases == [])
  }

  @Test func aWaiterLeavesAndIsTold() throws {
    scene.acquire("ann")
    scene.queue("bob", "a", keyed)
    scene.queue("cat")
    #expect(scene.takeBack("key", of: "bob")?.waiters == 1)
    #expect(scene.refusal("bob") == .canceled && scene.waits("cat") && scene.flaws().isEmpty)
    scene.release("ann")
    #expect(scene.has("cat"))
  }

  @Test func aPlaceThatIsKeptIsGivenUp() throws {
    scene.acquire("ann")
    scene.queue("bob", "a", keyed)
    scene.queue("cat")
    scene.cancel("bob")
    scene.release("ann")
    #expect(!scene.has("cat"))
    #expect(scene.takeBack("key", of: "bob")?.waiters == 1)
    scene.hear()
    #expect(scene.has("cat") && scene.flaws().isEmpty)
  }

  @Test func aRequestThatComesLaterIsRefused() {
    #expect(scene.takeBack("key", of: "ann")?.leases == [])
    #expect(scene.acquire("ann", "a", keyed) == .canceled)
    #expect(scene.queue("ann", "b", keyed) == .canceled)
    #expect(scene.acquire("ann", several: ["a", "b"]) { $0[0].idempotencyKey = "key" } == .canceled)
    #expect(scene.acquire("ann") == nil)
  }

  @Test func itCountsOnAllLocksAndForTheCallerAlone() throws {
    let others = Caller(connection: 4, peer: .local(pid: 9, uid: 77, gid: 77))
    scene.acquire("ann", "a", keyed)
    scene.acquire("ann too", several: ["b", "c"]) { $0[0].idempotencyKey = "key" }
    scene.acquire("bob", "d") {
      keyed(&$0); $0.caller = others
    }
    if let lease = scene.leases["ann too"] { scene.history.letGo(lease.id) }
    #expect(scene.takeBack("key", of: "ann")?.leases.count == 2)
    #expect(scene.has("bob") && scene.acquire("cat", several: ["b", "c"]) == nil && scene.flaws().isEmpty)
    #expect(
      scene.acquire("bob", "e") {
        keyed(&$0); $0.caller = others
      } == nil)
  }

  @Test func whatALeaseGivesBackDoesNotGoToAWaiterOfTheSameKey() {
    scene.acquire("ann", "a", keyed)
    scene.acquire("bob", several: ["b", "a"]) {
      $0[0].idempotencyKey = "key"; $0[0].wait = .seconds(60)
    }
    scene.history.letGo { _ in true }
    scene.takeBack("key", of: "ann")
    #expect(scene.ledger.status().leases == 0 && scene.ledger.status().waiters == 0 && scene.flaws().isEmpty)
  }

  @Test func onlySoManyKeysAreRemembered() {
    for number in 0...4096 { scene.takeBack("\(number)", of: "ann") }
    #expect(scene.acquire("ann") { $0.idempotencyKey = "0" } == nil)
    #expect(scene.acquire("bob", "b") { $0.idempotencyKey = "1" } == .canceled)
    #expect(scene.acquire("bob", "b") { $0.idempotencyKey = "4096" } == .canceled)
  }
}
