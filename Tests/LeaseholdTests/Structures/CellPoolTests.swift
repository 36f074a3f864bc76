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
