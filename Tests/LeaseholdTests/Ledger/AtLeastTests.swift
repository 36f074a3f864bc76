import Leasehold
import LeaseholdTestKit
import Testing

/// Slots that stay taken for a time from the grant on, even when their lease ends earlier.
@Suite struct AtLeastTests {
  private let scene = Scene()

  private func take(_ who: String = "ann", ttl: TimeSpan = .seconds(60), _ span: TimeSpan = .seconds(10)) {
    scene.acquire(who) { ($0.ttl, $0.holdAtLeast) = (ttl, span) }
  }

  private func release(_ who: String, early: Bool = false) throws -> ReleaseOutcome {
    let id = try #require(scene.leases[who]?.id)
    scene.history.letGo(id)
    return try scene.ledger.release(id, key: nil, early: early, at: scene.daemon.moment)
  }

  @Test func aReleaseBeforeThatKeepsTheSlotAndSaysUntilWhen() throws {
    take()
    scene.queue("bob")
    let end = scene.daemon.clock.now + .seconds(10)
    scene.pass(.seconds(3))
    #expect(try release("ann").keptUntil == end)
    #expect(scene.end("ann") == .released && scene.waits("bob"))
    let lock = try scene.ledger.lock(Scene.key("a"))
    #expect(lock.holders.map(\.state) == [.kept] && lock.holders.map(\.deadline) == [end])
    #expect(scene.ledger.status().kept == 1 && scene.ledger.status().cooling == 1)
    #expect(lock.holderCount == 0 && lock.coolingCount == 1 && lock.holders.map(\.atLeast) == [.seconds(10)])
    scene.pass(.milliseconds(6999))
    #expect(scene.waits("bob") && scene.flaws().isEmpty)
    scene.pass(.milliseconds(1))
    #expect(scene.has("bob") && scene.flaws().isEmpty)
    #expect(scene.ledger.counters.ended[Int(EndReason.released.rawValue)] == 1)
  }

  @Test func aReleaseAfterThatIsLikeAnyOther() throws {
    take()
    scene.pass(.seconds(10))
    #expect(try release("ann").keptUntil == nil)
    #expect(scene.free() == Limits.readerUnits && scene.flaws().isEmpty)
  }

  @Test func aRefusalSaysThatItIsKept() throws {
    take()
    _ = try release("ann")
    #expect(scene.acquire("bob") == .locked)
    #expect(scene.refusals["bob"]?.detail.contains("is kept, though its last lease is over") == true)
  }

  @Test func aSecondReleaseSaysTheSameAndAnEarlyOneEndsIt() throws {
    take()
    let first = try release("ann")
    let second = try release("ann")
    #expect(!first.already && second.already && second.keptUntil == first.keptUntil)
    let early = try release("ann", early: true)
    #expect(early.already && early.keptUntil == nil && scene.acquire("bob") == nil)
    #expect(scene.ledger.status().kept == 0)
    #expect(try release("ann", early: true).already && scene.end("ann") == .released && scene.flaws().isEmpty)
  }

  @Test func anEarlyReleaseKeepsNothing() throws {
    take()
    #expect(try release("ann", early: true).keptUntil == nil)
    #expect(scene.free() == Limits.readerUnits && scene.flaws().isEmpty)
  }

  @Test func anExpiryKeepsItAndACooldownThatLastsLongerCounts() throws {
    take(ttl: .seconds(1))
    scene.pass(.seconds(2))
    #expect(scene.end("ann") == .expired && scene.acquire("bob") == .locked)
    scene.pass(.seconds(8))
    #expect(scene.acquire("bob") == nil)
    scene.acquire("cat", "c") { ($0.ttl, $0.holdAtLeast, $0.cooldown) = (.seconds(1), .seconds(3), .seconds(20)) }
    scene.pass(.seconds(1))
    let lock = try scene.ledger.lock(Scene.key("c"))
    #expect(lock.holders.map(\.state) == [.cooling])
    #expect(lock.holders.map(\.deadline) == [scene.daemon.clock.now + .seconds(20)])
  }

  @Test func theEndOfWhatItIsBoundToKeepsIt() throws {
    scene.acquire("ann") { ($0.ttl, $0.bindsConnection, $0.holdAtLeast) = (.zero, true, .seconds(10)) }
    scene.ledger.withdraw(.connection(1), at: scene.daemon.moment)
    #expect(try scene.ledger.lock(Scene.key("a")).holders.map(\.state) == [.kept])
    scene.pass(.seconds(10))
    #expect(scene.free() == Limits.readerUnits)
  }

  @Test func aBreakAndARemovalEndIt() throws {
    take()
    #expect(scene.breaks("ann") == nil && scene.free() == Limits.readerUnits)
    take()
    _ = try release("ann")
    #expect(scene.breaks("ann", after: .seconds(5)) == nil && scene.free() == Limits.readerUnits)
    #expect(scene.end("ann") == .released, "it had ended before")
    take()
    _ = try release("ann")
    #expect(scene.remove() == .inUse && scene.remove(force: true) == nil && scene.flaws().isEmpty)
  }

  @Test func whatIsTakenBackIsNotKept() {
    scene.acquire("ann") {
      ($0.idempotencyKey, $0.holdAtLeast) = ("k", .seconds(10))
      $0.caller = Caller(connection: 3, peer: .unknown)
    }
    scene.takeBack("k", of: "ann")
    #expect(scene.free() == Limits.readerUnits && scene.flaws().isEmpty)
  }

  @Test func aRestartAndAnotherHolderChangeNothing() throws {
    take()
    scene.restart()
    scene.pass(.seconds(2))
    scene.transfer("ann", to: "bob")
    scene.restart()
    let end = try #require(scene.leases["ann"]).grantedAt + .seconds(10)
    #expect(try release("bob").keptUntil == end)
    scene.restart()
    #expect(try scene.ledger.lock(Scene.key("a")).holders.map(\.state) == [.kept])
    #expect(scene.end("bob") == .released && scene.acquire("cat") == .locked && scene.flaws().isEmpty)
    scene.pass(.seconds(10))
    #expect(scene.acquire("cat") == nil && scene.end("bob") == .released)
  }

  @Test func ofALeaseOnSeveralEachLockIsKept() throws {
    scene.acquire("ann", several: ["a", "b"]) { $0[0].holdAtLeast = .seconds(10) }
    _ = try release("ann")
    for key in ["a", "b"] { #expect(try scene.ledger.lock(Scene.key(key)).holders.map(\.state) == [.kept]) }
    #expect(try release("ann", early: true).already && scene.acquire("bob", several: ["a", "b"]) == nil)
    #expect(scene.flaws().isEmpty)
  }

  @Test func allOfAnOwnersLeasesAreKept() throws {
    scene.acquire("ann") { ($0.owner, $0.holdAtLeast) = ("ann", .seconds(10)) }
    let released = scene.ledger.releaseAll(owner: "ann", key: nil, of: nil, at: scene.daemon.moment)
    #expect(released.count == 1)
    #expect(try scene.ledger.lock(Scene.key("a")).holders.map(\.state) == [.kept])
  }
}
