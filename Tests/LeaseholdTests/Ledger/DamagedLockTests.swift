import LeaseholdTestKit
import Testing

@testable import Leasehold

/// Own locks whose values somebody wrote, and the one command that mends them.
@Suite struct DamagedLockTests {
  private let scene = Scene()

  private func write(_ value: Int, _ offset: Int, _ scene: Scene, _ key: String = "a") throws {
    let place = try #require(scene.place(key))
    scene.kernel.setValue(value, set: place.set, semaphore: place.semaphore + offset * NamedDialect.locksPerBank)
  }

  private func isDamaged(_ scene: Scene, _ key: String = "a") throws -> Bool {
    try scene.ledger.lock(Scene.key(key)).isDamaged
  }

  @Test(arguments: [(5, 1), (0, 1), (7, 2), (0, 2)]) func aDamagedLockIsCalledSoEverywhere(
    _ value: Int, _ column: Int
  ) throws {
    scene.acquire("ann", "a") { $0.limit = 3 }
    scene.acquire("bob", "b")
    try write(value, column, scene)
    scene.keepHouse()
    #expect(try isDamaged(scene) && !isDamaged(scene, "b"))
    #expect(scene.ledger.status().damagedLocks == 1)
    var filter = ListFilter()
    filter.state = .damaged
    #expect(scene.ledger.locks(filter).entries.map(\.key.text) == ["a"])
    let event = scene.ledger.events(from: 0, limit: 100).events.last { $0.kind == .drift }
    #expect(event?.key == "a" && event?.text?.contains("is damaged") == true)
    #expect(scene.acquire("cat", "a") { $0.limit = 3 } == .ledgerDamaged)
    let refusal = scene.refusals["cat"]
    #expect(refusal?.detail.contains("DELETE /locks/a?force=true") == true)
    #expect(refusal?.detail.contains("ipcrm") == false, "it would remove what stands beside it")
    #expect(scene.remove() == .ledgerDamaged, "who holds it natively cannot be known")
    #expect(scene.has("ann"), "its holder relies on it")
  }

  @Test(arguments: [(5, 0), (5, 1), (0, 1), (7, 2), (0, 2)]) func theCommandMendsItAndTouchesNobodyElse(
    _ value: Int, _ column: Int
  ) throws {
    scene.acquire("ann", "a") { $0.limit = 3 }
    scene.acquire("bob", "b") { $0.limit = 2 }
    scene.nativeTakes(1, "b")
    try write(value, column, scene)
    scene.release("ann")
    scene.keepHouse()
    #expect(scene.remove(force: true) == nil)
    #expect(scene.ledger.status().damagedLocks == 0 && scene.has("bob") && scene.free("b") == 0)
    #expect(scene.flaws().isEmpty, "nothing is left in the place")
    for who in ["cat", "dan", "eve"] { #expect(scene.acquire(who, "a") { $0.limit = 3 } == nil) }
    #expect(scene.acquire("fay", "a") { $0.limit = 3 } == .locked && scene.flaws().isEmpty)
    scene.keepHouse()
    scene.restart()
    #expect(scene.ledger.status().damagedLocks == 0 && scene.has("cat") && scene.has("bob") && scene.flaws().isEmpty)
  }

  @Test func manyMendedPlacesAreUsedAgainWhenThereAreNoOthers() throws {
    let scene = Scene(records: 800)
    for number in 0..<NamedDialect.locksPerBank {
      scene.acquire("a", "lock \(number)")
      try write(3, 1, scene, "lock \(number)")
      scene.keepHouse()
      #expect(scene.remove("lock \(number)", force: true) == nil)
    }
    #expect(scene.acquire("ann") == nil && scene.kernel.banks().count == 1)
    #expect(scene.flaws().isEmpty)
  }

  @Test func aRestartDoesNotForgetThatItIsDamaged() throws {
    scene.acquire("ann", "a")
    try write(5, 1, scene)
    scene.release("ann")
    #expect(scene.acquire("bob") == .ledgerDamaged)
    scene.history.letGo { _ in true }
    for _ in 0..<2 {
      scene.restart()
      #expect(try isDamaged(scene) && scene.acquire("bob") == .ledgerDamaged)
      #expect(scene.ledger.status().damagedLocks == 1)
    }
    scene.remove(force: true)
    #expect(scene.acquire("bob") == nil && scene.flaws().isEmpty)
  }

  @Test func whoWaitsForADamagedLockIsTold() throws {
    scene.acquire("ann", "a")
    scene.queue("bob", "a")
    scene.acquire("cat", several: ["b", "a"]) { $0[0].wait = .seconds(60) }
    scene.queue("dan", "b")
    try write(5, 1, scene)
    scene.keepHouse()
    #expect(scene.refusal("bob") == .ledgerDamaged && scene.refusal("cat") == .ledgerDamaged)
    #expect(scene.has("dan") && scene.has("ann"), "what was free for both is free for dan")
    #expect(scene.queue("eve", "a") == .ledgerDamaged)
    #expect(scene.acquire("eve", several: ["b", "a"]) == .ledgerDamaged)
  }

  @Test func whatIsLeftInAPlaceThatNobodyUsesIsInNobodysWay() throws {
    scene.acquire("ann", "a")
    let place = try #require(scene.place())
    for semaphore in [place.semaphore + 1, place.semaphore + 2 + NamedDialect.locksPerBank] {
      scene.kernel.setValue(9, set: place.set, semaphore: semaphore)
    }
    #expect(scene.acquire("bob", "b") { $0.limit = 2 } == nil)
    #expect(scene.place("b")?.semaphore != place.semaphore + 1 && scene.place("b")?.semaphore != place.semaphore + 2)
    #expect(scene.free("b") == 1)
    scene.restart()
    #expect(scene.flaws().isEmpty, "the next daemon clears it")
  }

  @Test(arguments: 0..<12) func aCrashWhileItIsMendedLosesNothing(_ step: Int) throws {
    scene.acquire("ann", "a")
    scene.acquire("bob", "b")
    try write(5, 1, scene)
    scene.release("ann")
    scene.keepHouse()
    scene.daemon.crash.crash(afterStep: step)
    scene.remove(force: true)
    scene.restart()
    scene.remove(force: true)
    #expect(scene.acquire("ann") == nil && scene.has("bob") && scene.flaws().isEmpty)
  }
}
