import LeaseholdTestKit
import Testing

@testable import Leasehold

@Suite struct CellPoolTests {
  @Test func recordsAreHandedOutOnceUntilThereAreNone() {
    var pool = CellPool(capacity: 3)
    #expect((0..<4).map { _ in pool.take() } == [0, 1, 2, nil])
    #expect(pool.used == 3 && pool.highWater == 3)
    pool.give(1)
    #expect(pool.used == 2)
    #expect(pool.take() == 1 && pool.take() == nil)
  }

  @Test func aRecordWithoutMemoryIsTakenBack() {
    var pool = CellPool(capacity: 3)
    _ = pool.take()
    _ = pool.take()
    pool.shrink()
    #expect(pool.highWater == 1 && pool.used == 1)
    #expect(pool.take() == 1)
  }

  @Test func aScanSaysWhatIsFreeAndLowRecordsComeFirst() {
    var pool = CellPool(capacity: 10)
    pool.rebuild(highWater: 6) { $0 % 2 == 1 }
    #expect(pool.used == 3 && pool.highWater == 6)
    #expect((0..<5).map { _ in pool.take() } == [1, 3, 5, 6, 7])
  }
}

@Suite struct TombstoneRingTests {
  private let lock = Lock(
    key: Scene.key("a"), cell: 0, bank: Bank(id: BankID(set: 1, key: 1)), place: 0, kind: .readersWriter,
    textCell: .max, lastUse: 0)

  private func end(_ cell: Int) -> Lease {
    Lease(RecordTests.lease(seed: UInt64(cell)), cell: cell, lock: lock, owner: nil, idempotencyKey: nil)
  }

  @Test func endsAreForgottenOldestFirst() {
    var ring = TombstoneRing(capacity: 3)
    #expect(ring.oldest == nil && ring.popOldest() == nil)
    for round in 0..<5 {
      for cell in 0..<3 { ring.append(end(round * 3 + cell)) }
      #expect(ring.isFull && ring.count == 3)
      #expect(ring.oldest?.cell == round * 3)
      #expect((0..<3).map { _ in ring.popOldest()?.cell } == (0..<3).map { round * 3 + $0 })
      #expect(ring.count == 0 && !ring.isFull)
    }
  }

  @Test func aRingOfNothingHoldsOne() {
    var ring = TombstoneRing(capacity: 0)
    ring.append(end(1))
    #expect(ring.isFull && ring.popOldest()?.cell == 1)
  }
}
