import LeaseholdTestKit
import Testing

@testable import Leasehold

/// Another limit for a counting lock, while leases stand on it.
@Suite struct ResizeTests {
  private let scene = Scene()

  private func lock(_ scene: Scene) throws -> LockSnapshot { try scene.ledger.lock(Scene.key("a")) }

  private func expectSound(_ scene: Scene) {
    let flaws = scene.flaws()
    #expect(flaws.isEmpty)
  }

  /// Somebody asks for slots of a lock that its first caller gave three.
  @discardableResult
  private func ask(_ scene: Scene, _ who: String, limit: Int = 3, count: Int = 1) -> LeaseholdError.Code? {
    scene.acquire(who) { ($0.limit, $0.count) = (limit, count) }
  }

  private func queue(_ scene: Scene, _ who: String, limit: Int = 3, count: Int = 1) {
    scene.queue(who) { ($0.limit, $0.count) = (limit, count) }
  }

  // MARK: Up

  @Test func whoWaitsIsServedAtOnceWhenTheLimitGoesUp() throws {
    ask(scene, "ann", count: 3)
    queue(scene, "bob", count: 2)
    queue(scene, "cat")
    queue(scene, "dan")
    #expect(scene.resize(6) == nil)
    #expect(scene.has("bob") && scene.has("cat") && scene.waits("dan"))
    #expect(try lock(scene).kind == .counting(limit: 6) && lock(scene).available == 0)
    #expect(ask(scene, "eve", limit: 3) == .limitMismatch, "its limit is another one now")
    scene.restart()
    #expect(try lock(scene).kind == .counting(limit: 6), "it survives a restart")
    expectSound(scene)
  }

  @Test func whatWasWithheldComesBackBeforeMoreIsMade() throws {
    ask(scene, "ann")
    scene.resize(1)
    #expect(scene.free() == 0)
    scene.resize(2)
    #expect(scene.free() == 1)
    scene.resize(5)
    #expect(scene.free() == 4)
    let place = try #require(scene.place())
    #expect(scene.kernel.value(place.set, NamedDialect(place: place.semaphore).live) == 5)
    expectSound(scene)
  }

  // MARK: Down

  @Test func nobodyIsPutOutWhenTheLimitGoesDownAndWhatComesBackGoesToNobody() throws {
    for who in ["ann", "bob", "cat"] { ask(scene, who) }
    queue(scene, "dan")
    #expect(scene.resize(1, isPinned: true) == nil)
    #expect(scene.has("ann") && scene.has("bob") && scene.has("cat") && scene.waits("dan"))
    #expect(try lock(scene).terms?.owed == 2)
    scene.release("ann")
    scene.release("bob")
    #expect(scene.waits("dan") && scene.free() == 0)
    #expect(try lock(scene).terms?.owed == 0)
    expectSound(scene)
    scene.release("cat")
    #expect(scene.has("dan"))
    expectSound(scene)
  }

  @Test func aLeaseOfSeveralSlotsPaysWhatItOwesAndFreesTheRest() throws {
    ask(scene, "ann", limit: 5, count: 4)
    scene.resize(3, isPinned: true)
    #expect(try lock(scene).terms?.owed == 1)
    scene.restart()
    #expect(try lock(scene).terms?.owed == 1 && lock(scene).terms?.isPinned == true)
    scene.release("ann")
    #expect(scene.free() == 3)
    expectSound(scene)
  }

  @Test func whoWantsMoreThanTheLimitIsToldSo() throws {
    ask(scene, "ann")
    queue(scene, "bob", count: 3)
    queue(scene, "cat", count: 1)
    scene.acquire("dan", several: ["b", "a"]) { wants in
      (wants[1].limit, wants[1].count, wants[0].wait) = (3, 3, .seconds(60))
    }
    scene.resize(2, isPinned: true)
    #expect(scene.refusal("bob") == .countExceedsLimit && scene.refusal("dan") == .countExceedsLimit)
    #expect(scene.has("cat"))
    #expect(ask(scene, "eve", count: 3) == .countExceedsLimit)
    expectSound(scene)
  }

  @Test func whatANativeProcessHoldsIsOwedUntilItIsBack() throws {
    ask(scene, "ann")
    scene.nativeTakes(2)
    scene.resize(1, isPinned: true)
    scene.release("ann")
    #expect(ask(scene, "bob") == .locked, "the native process has more than the limit")
    queue(scene, "bob")
    scene.nativeGives(1)
    scene.pass(.milliseconds(10))
    #expect(scene.waits("bob") && scene.free() == 0)
    #expect(try lock(scene).nativeUnits == 1 && lock(scene).available == 0)
    scene.nativeGives(1)
    scene.pass(.milliseconds(10))
    #expect(scene.has("bob"))
    expectSound(scene)
  }

  // MARK: Pause

  @Test func aLockWithLimitZeroGrantsNothingAndKeepsItsQueue() throws {
    ask(scene, "ann")
    #expect(scene.resize(0) == nil)
    #expect(scene.free() == 0 && scene.has("ann"))
    #expect(ask(scene, "bob") == .locked)
    #expect(scene.refusals["bob"]?.detail.contains("is paused (limit=0)") == true)
    queue(scene, "bob", limit: 7, count: 3)
    scene.release("ann")
    scene.restart()
    #expect(try lock(scene).isPausedNow && scene.free() == 0, "nothing is granted after a restart either")
    queue(scene, "bob", limit: 7, count: 3)
    #expect(scene.resize(4, isPinned: true) == nil)
    #expect(scene.has("bob") && scene.free() == 1)
    expectSound(scene)
  }

  @Test func aLockThatNobodyUsedYetCanBePaused() throws {
    #expect(scene.resize(0) == nil)
    #expect(ask(scene, "ann") == .locked)
    scene.pass(.seconds(3600))
    scene.keepHouse()
    #expect(ask(scene, "ann") == .locked, "it is kept although nobody uses it")
    #expect(scene.remove() == nil)
    #expect(ask(scene, "ann") == nil)
    expectSound(scene)
  }

  // MARK: Pinned

  @Test func callersLimitsDoNotCountWhereTheLimitIsPinned() throws {
    scene.resize(2, isPinned: true)
    ask(scene, "ann", limit: 5)
    #expect(scene.leases["ann"]?.limitApplied == false && scene.leases["ann"]?.kind == .counting(limit: 2))
    ask(scene, "bob", limit: 2)
    #expect(scene.leases["bob"]?.limitApplied == true)
    queue(scene, "cat", limit: 5)
    scene.release("ann")
    #expect(scene.leases["cat"]?.limitApplied == false)
    #expect(scene.acquire("dan") == .kindMismatch)
    #expect(scene.refusals["dan"]?.detail.contains("2 counts") == true)
    scene.resize(2)
    #expect(ask(scene, "dan", limit: 5) == .limitMismatch)
    ask(scene, "ann", limit: 2)
    #expect(scene.leases["ann"]?.limitApplied == nil)
    expectSound(scene)
  }

  @Test func aLimitThatIsNotPinnedGoesWithTheLock() throws {
    var limits = Limits()
    limits.idleLocks = .seconds(1)
    let scene = Scene(limits)
    ask(scene, "ann", count: 2)
    scene.resize(1)
    scene.release("ann")
    scene.pass(.seconds(2))
    scene.keepHouse()
    #expect(throws: LeaseholdError.self) { try lock(scene) }
    expectSound(scene)
    ask(scene, "ann", limit: 3, count: 3)
    #expect(scene.has("ann"))
  }

  // MARK: What does not go

  @Test func aLockInUseWithoutALimitCannotGetOne() {
    scene.acquire("ann")
    #expect(scene.resize(2) == .kindMismatch)
    scene.release("ann")
    #expect(scene.resize(2) == nil)
    expectSound(scene)
  }

  @Test func withoutARecordForItNothingChanges() throws {
    let scene = Scene(records: 3)
    ask(scene, "ann")
    ask(scene, "bob")
    #expect(scene.resize(1) == .ledgerFull)
    #expect(try lock(scene).kind == .counting(limit: 3) && scene.free() == 1)
    expectSound(scene)
  }

  @Test func aSetThatIsGoneIsMadeAnewWithTheLimitForThoseWhoWait() throws {
    ask(scene, "ann", limit: 5, count: 2)
    scene.resize(2, isPinned: true)
    queue(scene, "bob", limit: 5)
    scene.removeSet()
    scene.keepHouse()
    #expect(scene.has("bob") && scene.free() == 1)
    #expect(try lock(scene).kind == .counting(limit: 2) && lock(scene).terms?.isPinned == true)
    expectSound(scene)
  }

  @Test func aReleaseThatKnowsNoTermsFindsTheLockAsItsSetHasIt() throws {
    ask(scene, "ann")
    scene.resize(1)
    scene.resize(7)
    scene.resize(2)
    let made = scene.ledger.journal.lock(at: 0)?.capacity
    let place = try #require(scene.place())
    #expect(made == 7 && scene.kernel.value(place.set, NamedDialect(place: place.semaphore).live) == 7)
    let cell = scene.ledger.lockTable[Scene.key("a")]?.terms?.cell ?? 0
    let word = scene.daemon.storage.commitWord(at: cell)
    #expect(word.kind == .text && word.state == .live, "to it the terms are a text of nobody")
    scene.daemon.storage.scribble(.free, at: cell)
    scene.restart()
    #expect(try lock(scene).kind == .counting(limit: 7) && scene.free() == 6)
    expectSound(scene)
  }

  @Test(arguments: [(0, UInt64(0xffff00)), (2, 1 << 32), (3, 1), (4, 1)]) func termsThatAreNotOfTheLockDoNotCount(
    _ word: Int, _ mask: UInt64
  ) throws {
    ask(scene, "ann")
    scene.resize(1)
    let storage = scene.daemon.storage
    let cell = scene.ledger.lockTable[Scene.key("a")]?.terms?.cell ?? 0
    storage.scribble(mask, word: word, at: cell)
    storage.scribble(CommitWord(.live, .text, check: storage.body(at: cell).check), at: cell)
    scene.restart()
    #expect(try lock(scene).kind == .counting(limit: 3) && scene.free() == 2)
    expectSound(scene)
  }

  @Test func itIsAnEvent() throws {
    ask(scene, "ann")
    scene.resize(5, isPinned: true)
    scene.resize(0)
    let events = scene.ledger.events(from: 0, limit: 100).events.filter { $0.kind == .resized }
    #expect(scene.ledger.status().counters.resized == UInt64(events.count))
    #expect(events.map(\.count) == [5, 0] && events.map(\.reason) == ["pinned", "paused"])
  }
}

extension LockSnapshot {
  fileprivate var isPausedNow: Bool { kind == .counting(limit: 0) }
}
