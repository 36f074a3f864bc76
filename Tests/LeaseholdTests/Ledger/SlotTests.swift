import LeaseholdTestKit
import Testing

@testable import Leasehold

/// Counting locks whose slots have names.
@Suite struct SlotTests {
  private let scene = Scene()

  private static let gpus = ["gpu0", "gpu1", "gpu2"]

  private func lock(_ scene: Scene) throws -> LockSnapshot { try scene.ledger.lock(Scene.key("a")) }

  @discardableResult
  private func ask(
    _ scene: Scene, _ who: String, _ wanted: [String] = [], count: Int = 1, all: [String] = Self.gpus
  ) -> LeaseholdError.Code? {
    scene.acquire(who) { $0.wantSlots(all, wanted, count: count) }
  }

  private func queue(_ scene: Scene, _ who: String, _ wanted: [String] = [], count: Int = 1, all: [String] = Self.gpus)
  {
    scene.queue(who) { $0.wantSlots(all, wanted, count: count) }
  }

  private func slots(_ scene: Scene, _ who: String) -> [String]? { scene.leases[who]?.slots }

  private func slotsNow(_ scene: Scene, _ who: String) -> [String]? {
    scene.leases[who].flatMap { try? scene.ledger.lease($0.id).slots }
  }

  private func expectSound(_ scene: Scene) {
    let flaws = scene.flaws()
    #expect(flaws.isEmpty)
  }

  // MARK: Granting

  @Test func aGrantTellsWhichSlotsItHasAndNoneIsHeldTwice() throws {
    ask(scene, "ann")
    ask(scene, "bob", ["gpu2"])
    ask(scene, "cat")
    #expect(slots(scene, "ann") == ["gpu0"] && slots(scene, "bob") == ["gpu2"] && slots(scene, "cat") == ["gpu1"])
    #expect(ask(scene, "dan") == .locked)
    scene.release("bob")
    ask(scene, "dan")
    #expect(slots(scene, "dan") == ["gpu2"])
    let terms = try #require(lock(scene).terms)
    #expect(terms.slots == Self.gpus && terms.freeSlots.isEmpty && !terms.isPinned)
    expectSound(scene)
  }

  @Test func severalSlotsComeTogetherThoseThatAreAskedForAmongThem() throws {
    ask(scene, "ann", ["gpu2"], count: 2)
    #expect(slots(scene, "ann") == ["gpu0", "gpu2"])
    #expect(ask(scene, "bob", count: 2) == .locked)
    ask(scene, "bob", ["gpu1"])
    #expect(slots(scene, "bob") == ["gpu1"])
    expectSound(scene)
  }

  @Test func whoAsksForASlotThatIsTakenIsToldWhyAndOthersGoOn() throws {
    ask(scene, "ann")
    #expect(ask(scene, "bob", ["gpu0"]) == .locked)
    #expect(scene.refusals["bob"]?.detail.contains("free slots, but none that you ask for") == true)
    queue(scene, "bob", ["gpu0"])
    ask(scene, "cat")
    #expect(slots(scene, "cat") == ["gpu1"], "what waits for a certain slot stops nobody who takes another")
    queue(scene, "dan", count: 2)
    queue(scene, "eve", ["gpu2"])
    #expect(scene.waits("dan") && scene.waits("eve"), "who waits for any slots is not passed")
    scene.release("ann")
    #expect(slots(scene, "bob") == ["gpu0"])
    scene.release("cat")
    #expect(slots(scene, "dan") == ["gpu1", "gpu2"])
    scene.release("dan")
    #expect(slots(scene, "eve") == ["gpu2"])
    expectSound(scene)
  }

  @Test func aSlotIsKeptForWhoWaitsForIt() throws {
    ask(scene, "ann", ["gpu1"])
    queue(scene, "bob", ["gpu1", "gpu2"])
    ask(scene, "cat")
    #expect(slots(scene, "cat") == ["gpu0"])
    #expect(ask(scene, "dan") == .locked, "gpu2 is free, and kept for bob")
    scene.release("ann")
    #expect(slots(scene, "bob") == ["gpu1", "gpu2"])
    expectSound(scene)
  }

  @Test func slotsSurviveARestartAndAHandover() throws {
    ask(scene, "ann", ["gpu1"])
    scene.acquire("bob") { request in
      request.wantSlots(Self.gpus, ["gpu2"])
      (request.owner, request.idempotencyKey) = ("bob, in many words", "bob")
    }
    scene.transfer("ann", to: "eve", owner: "eve")
    scene.restart()
    #expect(slotsNow(scene, "eve") == ["gpu1"])
    #expect(slotsNow(scene, "bob") == ["gpu2"])
    ask(scene, "cat")
    #expect(slots(scene, "cat") == ["gpu0"] && ask(scene, "dan") == .locked)
    expectSound(scene)
  }

  @Test func severalLocksHaveTheirSlots() throws {
    scene.acquire("ann", several: ["a", "b", "a"]) { wants in
      wants[0].wantSlots(Self.gpus)
      wants[1].wantSlots(["one", "two"], ["two"])
      wants[2].wantSlots(Self.gpus, ["gpu0"])
    }
    #expect(scene.leases["ann"]?.parts.map(\.slots) == [["gpu1"], ["two"], ["gpu0"]])
    let code = scene.acquire("bob", several: ["a", "a"]) { wants in
      for index in wants.indices { wants[index].wantSlots(Self.gpus, ["gpu2"]) }
    }
    #expect(code == .sameLockTwice)
    scene.restart()
    ask(scene, "bob")
    #expect(slots(scene, "bob") == ["gpu2"])
    expectSound(scene)
  }

  @Test func aNativeProcessTakesAUnitAndNoName() throws {
    ask(scene, "ann")
    scene.nativeTakes(1)
    ask(scene, "bob")
    #expect(slots(scene, "bob") == ["gpu1"] && ask(scene, "cat") == .locked)
    queue(scene, "cat", ["gpu2"])
    scene.nativeGives(1)
    #expect(slots(scene, "cat") == ["gpu2"])
    expectSound(scene)
  }

  // MARK: Names

  @Test func namesAreThoseOfTheFirstUntilNobodyUsesTheLock() throws {
    ask(scene, "ann")
    #expect(ask(scene, "bob", all: ["x", "y", "z"]) == .limitMismatch)
    #expect(scene.refusals["bob"]?.detail.contains("slots=gpu0,gpu1,gpu2") == true)
    ask(scene, "bob", all: Self.gpus.reversed())
    #expect(slots(scene, "bob") == ["gpu1"], "their order does not matter")
    scene.acquire("cat") { $0.limit = 3 }
    #expect(slots(scene, "cat") == ["gpu2"], "who knows no names gets one")
    for who in ["ann", "bob", "cat"] { scene.release(who) }
    ask(scene, "ann", all: ["x", "y", "z"])
    #expect(slots(scene, "ann") == ["x"])
    scene.release("ann")
    ask(scene, "ann", all: ["p", "q"])
    #expect(slots(scene, "ann") == ["p"])
    expectSound(scene)
  }

  @Test func aSlotAloneNeedsALockThatHasIt() throws {
    #expect(ask(scene, "ann", ["gpu1"], all: []) == .invalidParameter)
    scene.resize(3, isPinned: true, names: Self.gpus)
    ask(scene, "ann", ["gpu1"], all: [])
    #expect(slots(scene, "ann") == ["gpu1"])
    #expect(ask(scene, "bob", ["gpu7"], all: []) == .invalidParameter)
    #expect(scene.refusals["bob"]?.detail.contains("its slots are gpu0,gpu1,gpu2") == true)
    scene.acquire("cat", "b") { $0.limit = 2 }
    let code = scene.acquire("dan", "b") { $0.wantSlots([], ["gpu1"]) }
    #expect(code == .kindMismatch)
    #expect(scene.acquire("dan", "b") { $0.wantSlots(["x", "y"]) } == .limitMismatch)
    expectSound(scene)
  }

  @Test func namesChangeWhileLeasesHaveThem() throws {
    for who in ["ann", "bob", "cat"] { ask(scene, who) }
    queue(scene, "dan", ["gpu0"])
    queue(scene, "eve")
    #expect(scene.resize(2, isPinned: true, names: ["gpu2", "gpu3"]) == nil)
    #expect(scene.refusal("dan") == .invalidParameter, "what it wants is gone")
    #expect(slotsNow(scene, "ann") == ["gpu0"], "nobody is put out")
    #expect(try lock(scene).terms?.owed == 1)
    scene.release("ann")
    #expect(scene.waits("eve"))
    scene.release("bob")
    #expect(slots(scene, "eve") == ["gpu3"] && scene.leases["eve"]?.limitApplied == false)
    scene.restart()
    #expect(scene.resize(4, isPinned: true, names: ["gpu0", "gpu1", "gpu2", "gpu3"]) == nil)
    for who in ["ann", "bob"] { ask(scene, who) }
    #expect(Set(["ann", "bob"].compactMap { slots(scene, $0)?.first }) == ["gpu0", "gpu1"])
    expectSound(scene)
  }

  @Test func aNameThatALeaseHasIsNotGivenAgainWhenItComesBack() throws {
    ask(scene, "ann")
    scene.resize(2, isPinned: true, names: ["gpu1", "gpu2"])
    scene.resize(2, isPinned: true, names: ["gpu0", "gpu1"])
    ask(scene, "bob")
    #expect(slots(scene, "bob") == ["gpu1"] && ask(scene, "cat") == .locked)
    expectSound(scene)
  }

  @Test func aLimitAloneDoesNotTakeNamesAwayAndZeroPauses() throws {
    ask(scene, "ann")
    #expect(scene.resize(5) == .limitMismatch)
    #expect(scene.resize(0) == nil && ask(scene, "bob") == .locked)
    #expect(scene.resize(3) == nil)
    ask(scene, "bob")
    #expect(slots(scene, "bob") == ["gpu1"])
    scene.acquire("cat", "b") { $0.limit = 2 }
    #expect(scene.resize(2, "b", names: ["x", "y"]) == .inUse, "what it has has no name")
    expectSound(scene)
  }

  @Test func moreNamesThanALockCanHaveAreRefused() {
    let many = (0..<SlotNames.namesMax).map { "n\($0)" }
    #expect(scene.resize(many.count, isPinned: true, names: many) == nil)
    ask(scene, "ann", all: [])
    scene.acquire("ann") { $0.limit = many.count }
    #expect(scene.resize(many.count, isPinned: true, names: many.dropFirst() + ["other"]) == .outOfRange)
    #expect(scene.resize(many.count - 1, isPinned: true, names: Array(many.dropFirst())) == nil)
    expectSound(scene)
  }

  @Test(arguments: [5, 6]) func namesThatAreScribbledOverAreNone(_ word: Int) throws {
    ask(scene, "ann")
    let storage = scene.daemon.storage
    let cell = scene.ledger.lockTable[Scene.key("a")]?.terms?.cell ?? 0
    storage.scribble(1 << 50, word: word, at: cell)
    storage.scribble(CommitWord(.live, .text, check: storage.body(at: cell).check), at: cell)
    scene.restart()
    #expect(try lock(scene).kind == .counting(limit: 3) && lock(scene).terms == nil)
    #expect(scene.has("ann"))
    expectSound(scene)
  }

  @Test func aSetThatIsGoneIsMadeAnewWithTheNames() throws {
    ask(scene, "ann")
    queue(scene, "bob", ["gpu0"])
    scene.removeSet()
    scene.keepHouse()
    #expect(slots(scene, "bob") == ["gpu0"])
    expectSound(scene)
  }
}
