import Leasehold
import SysV
import Testing

@testable import LeaseholdLocal

@Suite struct SegmentStoreTests {
  private let options: SegmentStoreOptions
  private let store: SegmentStore

  init() {
    var options = SegmentStoreOptions()
    options.controlKey = 0x5f48_0000 | Int32.random(in: 1...0xffff)
    options.defaultKey = 0x5f60_0000 | Int32.random(in: 1...0xffff)
    options.defaultBytes = 1000
    self.options = options
    store = SegmentStore(options)
  }

  private func clean() {
    _ = try? store.remove(.key(options.defaultKey), force: true)
    try? SharedMemorySegment.open(key: store.fences.key).remove()
  }

  private func put(_ store: SegmentStore, _ text: String, fence: Int64? = nil) throws(LeaseholdError) -> (
    key: Int64, replaced: Bool, tag: String
  ) {
    try store.put(VariablePut(key: .number(1), text: Array(text.utf8), fence: fence), in: nil)
  }

  @Test func theDefaultSegmentIsMadeAtFirstUseAlone() throws {
    defer { clean() }
    #expect(throws: LeaseholdError.self) { try store.segment(.key(options.defaultKey), making: false) }
    #expect(try !put(store, "i:1;").replaced)
    let segment = try store.segment(nil, making: false)
    #expect((segment.status.byteCount, segment.status.attachCount, segment.wordBits) == (1000, 0, 64))
    #expect(segment.guardKey == options.defaultKey)
    #expect(try store.variable(.number(1), fence: nil, in: nil)?.text == Array("i:1;".utf8))
  }

  @Test func anOldFenceIsRefusedByTheNextStoreToo() throws {
    defer { clean() }
    _ = try put(store, "i:1;", fence: 5)
    _ = try put(store, "i:2;", fence: 7)
    for store in [store, SegmentStore(options)] {
      let error = #expect(throws: LeaseholdError.self) { try put(store, "i:3;", fence: 6) }
      #expect(error?.code == .staleFence)
      _ = try put(store, "i:4;", fence: 7)
      _ = try put(store, "i:5;")
    }
  }

  @Test func fencesGoWithTheirSegment() throws {
    defer { clean() }
    _ = try put(store, "i:1;", fence: 7)
    _ = try store.remove(.key(options.defaultKey), force: true)
    #expect(try !put(store, "i:1;", fence: 1).replaced)
  }

  @Test func aLedgerIsRefusedEvenByItsNumber() throws {
    defer { clean() }
    let ledger = try SharedMemorySegment.create(byteCount: 4096)
    defer { try? ledger.remove() }
    let mapping = try ledger.attach()
    withExtendedLifetime(mapping) { mapping.bytes.storeBytes(of: LedgerSegment.magic, as: UInt64.self) }
    let error = #expect(throws: LeaseholdError.self) { try store.read(.id(ledger.id), offset: 0, length: 8) }
    #expect(error?.code == .permissionDenied)
  }

  @Test func aTagFollowsTheText() {
    #expect(SegmentStore.tag([1]) == SegmentStore.tag([1]))
    #expect(Set((0..<1000).map { SegmentStore.tag(Array("i:\($0);".utf8)) }).count == 1000)
    #expect(SegmentStore.tag([]).utf8.count == 16)
  }
}
