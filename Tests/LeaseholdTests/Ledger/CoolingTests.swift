import LeaseholdTestKit
import Testing

@testable import Leasehold

/// Leases are what somebody holds; what cools down is counted by itself, everywhere.
@Suite struct CoolingTests {
  private func scene() -> Scene {
    let scene = Scene()
    for who in ["ann", "bob"] {
      scene.acquire(who) {
        ($0.limit, $0.ttl, $0.cooldown) = (3, who == "ann" ? .seconds(1) : .seconds(60), .seconds(30))
      }
    }
    scene.pass(.seconds(2))
    return scene
  }

  private func numbers(_ scene: Scene) throws -> [Int] {
    let (lock, status) = (try scene.ledger.lock(Scene.key("a")), scene.ledger.status())
    return [lock.holderCount, lock.coolingCount, status.leases, status.cooling]
  }

  private func listed(_ scene: Scene, _ state: LockState) -> Int {
    var filter = ListFilter()
    filter.state = state
    return scene.ledger.locks(filter).entries.count
  }

  @Test func aSlotThatCoolsDownIsCalledSoAndCountedOnce() throws {
    let scene = scene()
    for _ in 0..<2 {
      #expect(try numbers(scene) == [1, 1, 1, 1] && scene.flaws().isEmpty)
      let holders = try scene.ledger.lock(Scene.key("a")).holders
      #expect(Set(holders.map(\.state)) == [.held, .cooling])
      let cooling = try #require(holders.first { $0.state == .cooling })
      #expect(try #require(cooling.deadline) > scene.daemon.clock.now, "until when it cools down")
      #expect(scene.ledger.leases(ListFilter()).entries.count == 1)
      #expect(listed(scene, .held) == 1 && listed(scene, .cooling) == 1 && listed(scene, .free) == 0)
      scene.restart()
    }
    scene.release("bob")
    #expect(listed(scene, .held) == 0 && listed(scene, .cooling) == 1 && listed(scene, .free) == 0)
    scene.pass(.seconds(60))
    #expect(try numbers(scene) == [0, 0, 0, 0] && listed(scene, .free) == 1 && scene.flaws().isEmpty)
  }

  @Test func itsEndIsCountedWhenItEnds() {
    let scene = scene()
    let expired = { scene.ledger.counters.ended[Int(EndReason.expired.rawValue)] }
    #expect(expired() == 1)
    scene.pass(.seconds(40))
    #expect(expired() == 1)
  }

  @Test func aLockThatOnlyCoolsDownIsNotSaidToBeHeld() {
    let scene = Scene()
    scene.acquire("ann") { ($0.ttl, $0.cooldown) = (.seconds(1), .seconds(30)) }
    scene.pass(.seconds(2))
    #expect(scene.acquire("bob") == .locked)
    #expect(scene.refusals["bob"]?.detail.contains("cools down") == true)
    #expect(scene.refusals["bob"]?.contention?.coolingCount == 1)
  }

  @Test func aLeaseThatCoolsDownEndedAsItEndedWhenItsLockIsRemoved() {
    let scene = scene()
    scene.remove(force: true)
    #expect(scene.end("ann") == .expired && scene.end("bob") == .lockRemoved && scene.flaws().isEmpty)
    let ended = scene.ledger.counters.ended
    #expect(ended[Int(EndReason.expired.rawValue)] == 1 && ended[Int(EndReason.lockRemoved.rawValue)] == 1)
  }

  @Test func ofALeaseOnSeveralEachLockCoolsDown() throws {
    let scene = Scene()
    scene.acquire("ann", several: ["a", "b"]) { ($0[0].ttl, $0[0].cooldown) = (.seconds(1), .seconds(30)) }
    scene.pass(.seconds(2))
    for key in ["a", "b"] {
      let lock = try scene.ledger.lock(Scene.key(key))
      #expect(lock.coolingCount == 1 && lock.holderCount == 0 && lock.holders.map(\.state) == [.cooling])
    }
    scene.restart()
    #expect(scene.ledger.status().cooling == 1 && scene.ledger.status().leases == 0)
    #expect(scene.end("ann") == .expired && scene.acquire("bob", "b") == .locked && scene.flaws().isEmpty)
    scene.pass(.seconds(60))
    #expect(scene.ledger.status().cooling == 0 && scene.acquire("bob", "b") == nil && scene.flaws().isEmpty)
  }
}
