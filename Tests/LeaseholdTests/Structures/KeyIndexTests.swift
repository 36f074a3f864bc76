import LeaseholdTestKit
import Testing

@testable import Leasehold

@Suite struct KeyIndexTests {
  /// A lease whose place in the table is that of others, too.
  private func lease(_ number: UInt64, home: UInt64) -> Lease {
    var record = RecordTests.lease(seed: number)
    record.id = LeaseID(high: number, low: home)
    return Lease(record, cell: 0, key: Scene.key("a"))
  }

  @Test(arguments: 1...8 as ClosedRange<UInt64>) func itDoesWhatADictionaryDoes(_ seed: UInt64) {
    var random = SeededRandom(seed: seed)
    var index = KeyIndex<LeaseID, Lease>()
    var model: [LeaseID: Lease] = [:]
    var gone: [LeaseID] = []
    for number in 0..<1500 as Range<UInt64> {
      if random.once(in: 3), let id = model.keys.min(by: { $0.high &* 77 % 1009 < $1.high &* 77 % 1009 }) {
        index[id] = nil
        model[id] = nil
        gone = gone.suffix(20) + [id]
      } else {
        // Homes close together, some at the very end of the table, so that runs meet and wrap.
        let home = random.once(in: 2) ? UInt64.random(in: 0..<40, using: &random) : .max - random.next() % 20
        let lease = lease(number, home: home)
        index[lease.id] = lease
        model[lease.id] = lease
      }
      #expect(index.count == model.count)
      if let known = model.randomElement(using: &random) { #expect(index[known.key] === known.value) }
      if let id = gone.randomElement(using: &random) { #expect(index[id] == nil) }
    }
    for (id, lease) in model { #expect(index[id] === lease) }
  }

  @Test func itTellsNamesApartByTheirBytes() throws {
    let texts = (0..<1200).map { String(repeating: "x", count: $0 % 40) + "\($0)" } + ["\u{e9}", "e\u{301}", "a", "b"]
    let keys = try texts.map { try LockKey(utf8: $0.utf8) }
    var index = KeyIndex<LockKey, Int>()
    for (number, key) in keys.enumerated() { index[key] = number }
    for (number, key) in keys.enumerated() where number % 3 == 0 { index[key] = nil }
    for (number, key) in keys.enumerated() { #expect(index[key] == (number % 3 == 0 ? nil : number)) }
    #expect(index.count == keys.count - (keys.count + 2) / 3)
  }
}
