import Leasehold
import LeaseholdTestKit
import Testing

/// Leases that are bound to a connection after their grant.
@Suite struct AttachTests {
  private let scene = Scene()

  private func close(_ connection: ConnectionID) {
    scene.ledger.withdraw(.connection(connection), at: scene.daemon.moment)
    scene.hear()
  }

  @Test func aShortLeaseThatIsConfirmedLivesAsLongAsItsConnection() throws {
    scene.acquire("ann") { $0.ttl = .seconds(2) }
    scene.queue("bob")
    #expect(scene.attach("ann", to: 7) == nil)
    let bound = try #require(scene.leases["ann"])
    #expect(bound.bindsConnection && bound.deadline == nil && bound.replayed)
    scene.pass(.seconds(500))
    #expect(scene.has("ann") && scene.flaws().isEmpty)
    scene.history.letGo(bound.id)
    close(7)
    #expect(scene.end("ann") == .expired && scene.has("bob") && scene.flaws().isEmpty)
  }

  @Test func aTtlBoundsItAllTheSame() throws {
    scene.acquire("ann") { $0.ttl = .seconds(2) }
    scene.attach("ann", ttl: .seconds(10))
    scene.pass(.seconds(9))
    #expect(scene.has("ann"))
    scene.pass(.seconds(1))
    #expect(scene.end("ann") == .expired)
  }

  @Test func afterARestartItHasTheGraceToBindItAnew() {
    for who in ["ann", "bob"] {
      scene.acquire(who, who) { $0.ttl = .milliseconds(500) }
      scene.attach(who)
    }
    scene.pass(.seconds(10))
    scene.restart()
    scene.pass(.seconds(1))
    #expect(scene.has("ann") && scene.attach("bob", to: 8) == nil)
    scene.pass(.milliseconds(1001))
    #expect(scene.end("ann") == .expired && scene.has("bob") && scene.flaws().isEmpty)
    scene.restart()
    scene.pass(.milliseconds(1900))
    #expect(scene.has("bob") && scene.attach("bob", to: 9) == nil)
    scene.pass(.seconds(600))
    #expect(scene.has("bob"))
  }

  @Test func aLeaseThatWasBoundKeepsItsDeadlineUnlessAskedOtherwise() throws {
    scene.acquire("ann") {
      $0.bindsConnection = true; $0.ttl = .seconds(60)
    }
    let before = try #require(scene.leases["ann"]?.deadline)
    scene.attach("ann", to: 6)
    #expect(scene.leases["ann"]?.deadline == before)
    close(1)
    #expect(scene.has("ann"))
    scene.attach("ann", to: 6, ttl: .zero)
    #expect(scene.leases["ann"]?.deadline == .some(nil))
  }

  @Test func whoFollowedItHearsThatItWentToAnotherConnection() throws {
    scene.acquire("ann") { $0.bindsConnection = true }
    let (id, client) = (try #require(scene.leases["ann"]?.id), RecordingClient())
    #expect(scene.ledger.follow(id, client: client))
    scene.attach("ann", to: 6)
    #expect(client.end == .transferred && client.ends == 1 && scene.has("ann"))
  }

  @Test func anAnswerThatGotLostTakesNothingFromWhoAttached() throws {
    scene.acquire("ann")
    let grant = try #require(scene.leases["ann"]?.grant)
    scene.attach("ann")
    scene.ledger.withdraw(.grant(grant), at: scene.daemon.moment)
    #expect(scene.has("ann"))
  }

  @Test func whatEndsOtherwiseIsNotBoundToAConnection() {
    scene.acquire("ann") {
      $0.process = ProcessBinding(scene.daemon.processes.run(7), name: 7); $0.ttl = .zero
    }
    #expect(scene.attach("ann") == .invalidParameter)
    scene.acquire("bob", "b")
    scene.breaks("bob", after: .seconds(5))
    #expect(scene.attach("bob") == .broken)
    scene.acquire("cat", "c")
    scene.release("cat")
    #expect(scene.attach("cat") == .released && scene.flaws().isEmpty)
  }

  @Test func aConvertedLeaseStaysBound() {
    scene.acquire("ann") { $0.mode = .shared }
    scene.attach("ann")
    scene.convert("ann", to: .exclusive)
    scene.pass(.seconds(600))
    scene.restart()
    #expect(scene.has("ann") && scene.flaws().isEmpty)
    scene.pass(.milliseconds(2001))
    #expect(scene.end("ann") == .expired)
  }
}
