import Leasehold
import LeaseholdTestKit
import Testing

@Suite struct DamageTests {
  /// Some of everything: leases, locks, long texts, ends, a cooldown.
  private func scene() -> Scene {
    let scene = Scene(records: 64)
    let long = String(repeating: "long", count: 50)
    scene.acquire("ann", "a") { $0.owner = "ann" }
    scene.acquire("bob", long) {
      $0.limit = 4; $0.owner = String(long.prefix(120)); $0.idempotencyKey = long
    }
    scene.acquire("cat", "c") {
      $0.ttl = .seconds(1); $0.cooldown = .seconds(60)
    }
    scene.acquire("dan", "d")
    scene.release("dan")
    scene.pass(.seconds(1))
    return scene
  }

  @Test(arguments: 0..<300 as Range<UInt64>) func scribbledRecordsAreDroppedAndNothingElse(_ seed: UInt64) {
    var random = SeededRandom(seed: seed)
    let scene = scene()
    scene.history.letGo { _ in true }
    for _ in 0..<Int.random(in: 1...4, using: &random) {
      let cell = Int.random(in: 0..<12, using: &random)
      if random.once(in: 3) {
        scene.daemon.storage.scribble(CommitWord(rawValue: random.next() & random.next()), at: cell)
      } else {
        let word = Int.random(in: 2..<15, using: &random)
        scene.daemon.storage.scribble(1 << UInt64.random(in: 0..<64, using: &random), word: word, at: cell)
      }
    }
    scene.restart()
    scene.restart()
    #expect(scene.daemon.flaws().isEmpty)
    for who in ["eve", "fay"] { scene.acquire(who, who) }
    scene.pass(.seconds(3600))
    #expect(scene.has("eve") == false && scene.daemon.flaws().isEmpty)
  }

  @Test(arguments: 0..<100 as Range<UInt64>) func wordsThatAreNotCheckedStillMakeSense(_ seed: UInt64) {
    var random = SeededRandom(seed: seed)
    let scene = scene()
    scene.history.letGo { _ in true }
    let mask = random.once(in: 2) ? random.next() : 1 << 63
    for cell in 0..<12 { scene.daemon.storage.scribble(mask, word: cell % 2, at: cell) }
    scene.restart()
    scene.pass(.seconds(3))
    scene.keepHouse()
    #expect(scene.daemon.flaws().isEmpty)
  }

  @Test func aHighWaterMarkBeyondTheSegmentIsNotBelieved() {
    let scene = scene()
    scene.daemon.storage.setHeader(.highWater, .max)
    scene.daemon.storage.setHeader(.lastSeen, .max)
    scene.daemon.storage.setHeader(.lastFence, 17)
    scene.restart()
    #expect(scene.has("ann") && scene.daemon.flaws().isEmpty)
  }

  @Test func oneDamagedRecordIsCounted() {
    let scene = Scene()
    scene.acquire("ann")
    scene.history.letGo { _ in true }
    scene.daemon.storage.scribble(1, word: 5, at: 1)
    scene.restart()
    #expect(scene.ledger.recovery.damagedRecords == 1 && scene.ledger.recovery.unitsGivenBack == Limits.readerUnits)
    #expect(scene.end("ann") == .noSuchLease && scene.flaws().isEmpty)
  }

  @Test(arguments: [0, 2, 5, 63, 64, 0xffff_fffe] as [UInt64]) func aChainOfTextsIsFollowedOnlyWhereItIsOne(
    _ next: UInt64
  ) {
    let scene = scene()
    for cell in 0..<12 {
      let body = scene.daemon.storage.body(at: cell)
      guard scene.daemon.storage.commitWord(at: cell).rawValue >> 8 & 0xff == 3 else { continue }
      scene.daemon.storage.scribble(body.words[2] & 0xffff_ffff ^ next, word: 2, at: cell)
    }
    scene.release("bob")
    scene.history.letGo { _ in true }
    #expect(scene.has("ann") && scene.end("bob") == .released)
    scene.restart()
    #expect(scene.has("ann") && scene.daemon.flaws().isEmpty)
  }
}
