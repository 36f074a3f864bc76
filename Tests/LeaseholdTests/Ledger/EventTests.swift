import LeaseholdTestKit
import Testing

@testable import Leasehold

@Suite struct EventTests {
  private let scene = Scene()

  private func kinds(_ scene: Scene, from number: UInt64 = 0) -> [String] {
    scene.ledger.events(from: number, limit: 1000).events.map { "\($0.kind.name) \($0.reason ?? "-")" }
  }

  @Test func everythingThatHappensIsNotedOnce() {
    scene.acquire("ann")
    scene.queue("bob")
    scene.queue("cid", for: .seconds(1))
    scene.queue("dan")
    scene.cancel("dan")
    scene.pass(.seconds(2))
    scene.renew("ann")
    scene.release("ann")
    scene.pass(.seconds(60))
    #expect(
      kinds(scene) == [
        "granted -", "waiting -", "waiting -", "waiting -", "left canceled", "left wait-timeout", "renewed -",
        "released released", "granted -", "expired ttl",
      ])
  }

  @Test func whoIsRefusedForADeadlockHasLeft() {
    scene.acquire("ann")
    let refused = scene.queue("again") { $0.holding = scene.leases["ann"].map { [$0.id] } ?? [] }
    #expect(refused == .deadlock && kinds(scene) == ["granted -", "waiting -", "left deadlock"])
  }

  @Test func anEndByCooldownIsNotedWhenTheHolderLosesIt() {
    scene.acquire("ann") {
      $0.ttl = .seconds(1)
      $0.cooldown = .seconds(5)
    }
    scene.pass(.seconds(2))
    #expect(kinds(scene) == ["granted -", "expired ttl"])
    scene.pass(.seconds(10))
    #expect(kinds(scene) == ["granted -", "expired ttl"])
  }

  @Test func whatLeavesNoTraceIsNotNoted() {
    scene.acquire("ann") { $0.leavesNoTrace = true }
    scene.release("ann")
    #expect(kinds(scene).isEmpty)
  }

  @Test func theRingKeepsTheLastAndSaysWhatIsGone() {
    var limits = Limits()
    limits.events = 16
    let scene = Scene(limits)
    for _ in 0..<20 {
      scene.acquire("ann")
      scene.release("ann")
    }
    let all = scene.ledger.events(from: 0, limit: 100)
    #expect((all.oldest, all.next, all.first, all.events.count) == (25, 41, 25, 16))
    let some = scene.ledger.events(from: 30, limit: 3)
    #expect((some.first, some.events.map(\.kind)) == (30, [.released, .granted, .released]))
    let none = scene.ledger.events(from: 99, limit: 3)
    #expect((none.first, none.events.count) == (41, 0))
  }

  @Test func anotherLifeHasAnotherEpoch() {
    let before = scene.ledger.events(from: 0, limit: 0).epoch
    scene.pass(.seconds(1))
    scene.restart()
    #expect(before > 0)
    #expect(scene.ledger.events(from: 0, limit: 0).epoch > before)
  }

  @Test func theStateOfALockChangesWithItsHoldersAndItsQueue() throws {
    func version() throws -> UInt64 { try scene.ledger.lock(Scene.key("a")).tag.version }
    scene.acquire("ann")
    var seen = [try version()]
    scene.renew("ann")
    #expect(try version() == seen[0])
    for change in [{ _ = scene.queue("bob") }, { scene.cancel("bob") }, { _ = scene.release("ann") }] {
      change()
      seen.append(try version())
    }
    #expect(seen == Array(Set(seen)).sorted())
  }
}
