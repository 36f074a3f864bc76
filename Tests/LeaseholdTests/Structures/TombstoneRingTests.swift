import LeaseholdTestKit
import Testing

@testable import Leasehold

@Suite struct TombstoneRingTests {
  private func end(_ number: UInt64, cell: Int = 0) -> Tombstone {
    let id = LeaseID(high: number << 24, low: number &* 0x9e37_79b9_7f4a_7c15)
    return Tombstone(id: id, key: nil, reason: .released, endedAt: Int64(number), cell: cell)
  }

  @Test(arguments: 1...8 as ClosedRange<UInt64>) func itIsAQueueThatFindsById(_ seed: UInt64) {
    var random = SeededRandom(seed: seed)
    var ring = TombstoneRing(capacity: 1 + Int(random.next() % 20))
    var model: [Tombstone] = []
    var gone: [LeaseID] = []
    for number in 1..<2000 as Range<UInt64> {
      if ring.isFull || random.once(in: 3) {
        let oldest = ring.popOldest()
        #expect(oldest?.id == model.first?.id)
        if !model.isEmpty { gone = gone.suffix(30) + [model.removeFirst().id] }
      } else {
        let tombstone = end(number)
        ring.append(tombstone)
        model.append(tombstone)
      }
      #expect(ring.count == model.count && ring.oldest?.id == model.first?.id)
      if let known = model.randomElement(using: &random) {
        #expect(ring[known.id]?.endedAt == known.endedAt)
        #expect(ring.latest(ref: known.id.high >> 24)?.id == known.id)
      }
      if let id = gone.randomElement(using: &random) { #expect(ring[id] == nil) }
    }
  }

  @Test func ofSeveralWithOneShortNameTheLatestIsFound() {
    var ring = TombstoneRing(capacity: 4)
    for cell in 1...6 {
      if ring.isFull { _ = ring.popOldest() }
      let id = LeaseID(high: 7 << 24 | UInt64(cell), low: UInt64(cell))
      ring.append(Tombstone(id: id, key: nil, reason: .expired, endedAt: 1, cell: cell))
    }
    #expect(ring.latest(ref: 7)?.cell == 6 && ring.latest(ref: 8) == nil)
  }

  @Test func aRingOfNothingHoldsOne() {
    var ring = TombstoneRing(capacity: 0)
    ring.append(end(1))
    #expect(ring.isFull && ring.popOldest()?.endedAt == 1 && ring.popOldest() == nil)
  }
}
