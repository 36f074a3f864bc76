import Leasehold
import LeaseholdTestKit
import Testing

@Suite struct TimeOfLeasesTests {
  private let scene = Scene()

  @Test func aLeaseLivesUntilItsDeadlineAndNoLonger() {
    scene.acquire("ann") { $0.ttl = .seconds(5) }
    scene.pass(.milliseconds(4999))
    #expect(scene.has("ann"))
    scene.pass(.milliseconds(1))
    #expect(scene.end("ann") == .expired && scene.free() == Limits.readerUnits)
    #expect(scene.renew("ann") == .expired && scene.release("ann") == .expired)
    #expect(scene.flaws().isEmpty)
  }

  @Test func aRenewalMayMoveTheDeadlineEarlier() {
    scene.acquire("ann") { $0.ttl = .seconds(60) }
    #expect(scene.renew("ann", ttl: .seconds(1)) == nil)
    #expect(scene.ledger.nextDue == (scene.daemon.clock.now + .seconds(1)).nanoseconds)
    scene.pass(.seconds(1))
    #expect(scene.end("ann") == .expired)
  }

  @Test func onlyABoundLeaseDoesWithoutADeadline() {
    scene.acquire("ann")
    #expect(scene.renew("ann", ttl: .zero) == .outOfRange)
    scene.acquire("bob", "b") {
      $0.bindsConnection = true; $0.ttl = .zero
    }
    #expect(scene.leases["bob"]?.deadline == nil && scene.ledger.nextDue == scene.leases["ann"]?.deadline?.nanoseconds)
    #expect(scene.renew("bob") == nil)
    scene.pass(.seconds(1_000_000))
    #expect(scene.has("bob"))
    #expect(scene.renew("bob", ttl: .seconds(1)) == nil)
    scene.pass(.seconds(1))
    #expect(scene.end("bob") == .expired)
  }

  @Test func leasesExpireInTheOrderOfTheirDeadlines() {
    let order: [(String, Int64)] = [("ann", 3), ("bob", 1), ("cat", 2)]
    for (who, seconds) in order { scene.acquire(who, who) { $0.ttl = .seconds(seconds) } }
    scene.renew("bob", ttl: .seconds(4))
    let followers = order.map { ($0.0, RecordingClient()) }
    for (who, client) in followers {
      if let id = scene.leases[who]?.id { #expect(scene.ledger.follow(id, client: client)) }
    }
    scene.daemon.clock.advance(by: .seconds(10))
    var seen: [String] = []
    while scene.ledger.tick(at: scene.daemon.moment, budget: 1) {
      scene.daemon.tell()
      seen += followers.filter { $0.1.end != nil && !seen.contains($0.0) }.map(\.0)
    }
    #expect(seen == ["cat", "ann", "bob"])
    #expect(scene.ledger.counters.expiryLagMax == TimeSpan.seconds(8).nanoseconds)
  }

  @Test func aCooldownKeepsTheSlotsAfterExpiry() {
    scene.acquire("ann") {
      $0.ttl = .seconds(1); $0.cooldown = .seconds(5)
    }
    let client = RecordingClient()
    if let id = scene.leases["ann"]?.id { #expect(scene.ledger.follow(id, client: client)) }
    scene.queue("bob")
    scene.pass(.seconds(1))
    #expect(scene.end("ann") == .expired && client.end == .expired && scene.waits("bob"))
    #expect(scene.release("ann") == .expired && scene.renew("ann") == .expired)
    #expect(scene.flaws().isEmpty)
    scene.pass(.milliseconds(4999))
    #expect(scene.waits("bob"))
    scene.pass(.milliseconds(1))
    #expect(scene.has("bob") && client.ends == 1 && scene.flaws().isEmpty)
  }

  @Test func aReleaseNeedsNoCooldown() {
    scene.acquire("ann") { $0.cooldown = .seconds(5) }
    scene.release("ann")
    #expect(scene.acquire("bob") == nil)
  }

  @Test func whoFollowsALeaseHearsOfItsDeadlineAndOfEachNewOne() throws {
    scene.acquire("ann")
    let lease = try #require(scene.leases["ann"])
    let client = RecordingClient()
    #expect(scene.ledger.follow(lease.id, client: client))
    scene.renew("ann", ttl: .seconds(90))
    scene.daemon.settle()
    #expect(client.deadlines == [lease.deadline, scene.daemon.clock.now + .seconds(90)])
  }

  @Test func oneTickDoesNoMoreThanItsBudget() {
    for number in 0..<10 { scene.acquire("\(number)", "\(number)") { $0.ttl = .seconds(1) } }
    scene.daemon.clock.advance(by: .seconds(1))
    #expect(scene.ledger.tick(at: scene.daemon.moment, budget: 4))
    #expect(scene.ledger.status().leases == 6)
    #expect(!scene.ledger.tick(at: scene.daemon.moment, budget: 100))
    #expect(scene.ledger.status().leases == 0)
  }
}
