import Leasehold
import LeaseholdTestKit
import Testing

@Suite struct BoundLeaseTests {
  private let scene = Scene()

  private func bound(_ connection: ConnectionID) -> (inout AcquireRequest) -> Void {
    { request in
      request.bindsConnection = true
      request.caller = request.caller.with(connection: connection)
    }
  }

  private func close(_ connection: ConnectionID, _ scene: Scene) {
    scene.ledger.withdraw(.connection(connection), at: scene.daemon.moment)
    scene.hear()
  }

  @Test func aBoundLeaseEndsWithItsConnection() {
    scene.acquire("ann", "a", bound(1))
    scene.acquire("bob", "b", bound(1))
    scene.acquire("cat", "c", bound(2))
    scene.acquire("dan", "d")
    scene.queue("eve", "a")
    close(1, scene)
    #expect(scene.end("ann") == .expired && scene.end("bob") == .expired)
    #expect(scene.has("cat") && scene.has("dan") && scene.has("eve"))
    close(1, scene)
    close(7, scene)
    #expect(scene.daemon.flaws().isEmpty)
  }

  @Test func aRetryBindsTheLeaseToItsOwnConnection() {
    scene.acquire("ann") {
      bound(1)(&$0); $0.idempotencyKey = "key"
    }
    scene.acquire("ann") {
      bound(2)(&$0); $0.idempotencyKey = "key"
    }
    close(1, scene)
    #expect(scene.has("ann"))
    close(2, scene)
    #expect(scene.end("ann") == .expired)
  }

  @Test func aRenewalDoesNotReplaceTheConnection() {
    scene.acquire("ann", "a", bound(1))
    scene.restart()
    #expect(scene.renew("ann", ttl: .seconds(60)) == nil)
    scene.pass(scene.daemon.limits.recoveryGrace)
    #expect(scene.end("ann") == .expired)
  }

  @Test func whileItDrainsConnectionsEndNothing() {
    scene.acquire("ann", "a", bound(1))
    scene.ledger.drain()
    close(1, scene)
    #expect(scene.has("ann"))
  }

  @Test func afterARestartItSaysUntilWhenItsHolderMustComeBack() throws {
    scene.acquire("ann") {
      $0.bindsConnection = true; $0.ttl = .zero
    }
    let id = try #require(scene.leases["ann"]?.id)
    #expect(try scene.ledger.lease(id).deadline == nil)
    scene.restart()
    let end = scene.daemon.clock.now + scene.daemon.limits.recoveryGrace
    #expect(try scene.ledger.lease(id).deadline == end)
    scene.pass(scene.daemon.limits.recoveryGrace)
    #expect(scene.end("ann") == .expired)
  }
}
