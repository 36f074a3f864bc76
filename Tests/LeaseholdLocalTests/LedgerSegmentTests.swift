import Glibc
import HostTestKit
import LeaseholdHost
import LeaseholdTestKit
import SysV
import SystemPackage
import Testing

@testable import Leasehold
@testable import LeaseholdLocal

@Suite struct LedgerSegmentTests {
  private let scene = Scene()

  @Test func aNewLedgerIsEmptyAndReady() throws {
    let service = try scene.start()
    let status = service.status()
    #expect(status.state == .ready)
    #expect((status.leases, status.locks, status.ledger?.records, status.ledger?.banks) == (0, 0, 0, 0))
    #expect(status.ledger?.recordCapacity == scene.options.limits.records)
    let segment = try #require(scene.segment).status()
    #expect(segment.byteCount == LedgerSegment.bytes(capacity: scene.options.limits.records))
    #expect(segment.permissions.mode == .ownerReadWrite)
  }

  @Test func anotherLayoutIsRefusedWithBothNumbers() throws {
    scene.stop(try scene.start())
    let segment = try #require(scene.segment)
    try write(9, atWord: 1, of: segment)
    let error = #expect(throws: LocalServiceError.self) { try scene.start() }
    guard case .foreignLedger(let key, let id, let found, let understood)? = error else { throw NeverHappened() }
    #expect((key, id, found, understood) == (scene.key, segment.id, 9, LedgerSegment.layout))
    #expect("\(error.map(\.description) ?? "")".contains("layout 9, this version understands 2"))
  }

  @Test(arguments: [8, 100, 4096, 100_000])
  func aSegmentThatIsNoLedgerIsRefusedAndLeftAlone(_ byteCount: Int) throws {
    let segment = try SharedMemorySegment.create(key: IPCKey(rawValue: scene.key), byteCount: byteCount)
    try write(0x5241_4e44_4f4d_2121, atWord: 0, of: segment)
    let error = #expect(throws: LocalServiceError.self) { try scene.start() }
    guard case .notALedger(scene.key, segment.id)? = error else { throw NeverHappened() }
    #expect(try read(word: 0, of: segment) == 0x5241_4e44_4f4d_2121)
  }

  @Test func aSegmentWithZeroMagicAndOtherContentIsNoLedger() throws {
    let segment = try SharedMemorySegment.create(key: IPCKey(rawValue: scene.key), byteCount: 100_000)
    try write(1, atWord: 300, of: segment)
    let error = #expect(throws: LocalServiceError.self) { try scene.start() }
    guard case .notALedger? = error else { throw NeverHappened() }
  }

  @Test(arguments: [false, true])
  func aLedgerWhoseMakerDiedIsFinished(_ halfWritten: Bool) throws {
    let capacity = scene.options.limits.records
    let segment = try SharedMemorySegment.create(
      key: IPCKey(rawValue: scene.key), byteCount: LedgerSegment.bytes(capacity: capacity))
    if halfWritten { try write(LedgerSegment.layout, atWord: 1, of: segment) }
    let service = try scene.start()
    #expect(scene.segment == segment)
    #expect(try read(word: 0, of: segment) == LedgerSegment.magic)
    #expect(try read(word: 1, of: segment) == LedgerSegment.layout)
    #expect(service.status().ledger?.recordCapacity == capacity)
    _ = try service.take("a")
  }

  @Test func anEmptyLedgerOfAnotherSizeIsReplacedAndFencesGoOn() throws {
    let first = try scene.start()
    let lease = try first.take("a")
    try first.giveBack(lease)
    try first.remove(LockName(try lockKey("a")), force: false, within: nil, at: HostClock.now())
    let old = scene.segment
    scene.options.limits.leases = 700
    let second = try scene.restart(first)
    #expect(scene.segment != old)
    #expect(second.status().ledger?.recordCapacity == scene.options.limits.records)
    #expect(second.status().ledger?.lastFence == lease.fence)
    #expect(try second.take("a").fence > lease.fence)
  }

  @Test func aLedgerInUseKeepsItsSize() throws {
    let first = try scene.start()
    let capacity = first.status().ledger?.recordCapacity
    let lease = try first.take("a")
    let old = scene.segment
    scene.options.limits.leases = 50
    let second = try scene.restart(first)
    #expect(scene.segment == old)
    #expect(second.status().ledger?.recordCapacity == capacity)
    #expect(second.end(of: lease) == nil)
  }

  @Test func aLedgerThatSomebodyRemovedIsPutBackFromMemory() throws {
    scene.options.description = "http://example"
    let first = try scene.start()
    let lease = try first.take("a")
    let old = try #require(scene.segment)
    try old.remove()
    try eventually { scene.segment.map { $0 != old } ?? false }
    try eventually { LedgerSegment.description(key: scene.key) == "http://example" }
    let later = try first.take("b")
    let second = try scene.restart(first)
    #expect(second.end(of: lease) == nil && second.end(of: later) == nil)
    #expect(second.status().ledger?.recovery.leases == 2)
  }

  @Test(.enabled(if: AnotherUser.isAvailable, "needs root and a second user"))
  func aLedgerThatAnotherUserMadeIsRefusedWithTheCommandThatRemovesIt() throws {
    let first = try scene.start()
    _ = try first.take("a")
    scene.stop(first)
    let segment = try #require(scene.segment)
    let mapping = try segment.attach(.readOnly)
    let bytes = [UInt8](mapping.bytes)
    try segment.remove()
    try mapping.detach()
    let key = IPCKey(rawValue: scene.key)
    let isMade = AnotherUser.run { () -> Bool in
      let mode: IPCMode = [.ownerReadWrite, .groupReadWrite, .otherReadWrite]
      guard let copy = try? SharedMemorySegment.create(key: key, byteCount: bytes.count, mode: mode),
        let target = try? copy.attach()
      else { return false }
      target.bytes.copyBytes(from: bytes)
      return true
    }
    #expect(isMade == true)
    let error = #expect(throws: LocalServiceError.self) { try scene.start() }
    guard case .notOurs(.ledger, scene.key, AnotherUser.id, AnotherUser.id, 0o666)? = error else {
      throw NeverHappened()
    }
    #expect("\(error.map(\.description) ?? "")".contains("ipcrm -M \(key)"))
    #expect(LedgerSegment.description(key: scene.key) == "")
  }

  @Test func aLedgerThatOthersMayWriteIsRefused() throws {
    scene.stop(try scene.start())
    try #require(scene.segment).setMode([.ownerReadWrite, .groupReadWrite])
    let error = #expect(throws: LocalServiceError.self) { try scene.start() }
    guard case .notOurs(.ledger, scene.key, _, _, 0o660)? = error else { throw NeverHappened() }
  }

  private static let scribbles: [UInt64] = [0, 1, 1 << 62, 1 << 63, .max]

  @Test(arguments: 0..<10, Self.scribbles)
  func aScribbledHeaderCostsNoLeaseNeitherNowNorLater(_ word: Int, _ value: UInt64) throws {
    scene.options.description = "http://example"
    let first = try scene.start()
    let leases = try (0..<3).map { try first.take("lock \($0)") }
    let old = try #require(scene.segment)
    try write(value, atWord: word, of: old)
    try old.remove()
    try eventually { scene.segment.map { $0 != old } ?? false }
    try eventually { LedgerSegment.description(key: scene.key) == "http://example" }
    let later = try first.take("later")
    #expect(later.fence > leases[2].fence)
    let second = try scene.restart(first)
    for lease in leases + [later] { #expect(second.end(of: lease) == nil) }
    #expect(try second.refusal("later")?.code == .locked)
    #expect(try second.take("another").fence > later.fence)
    #expect(second.status().ledger?.recovery.damagedRecords == 0)
  }

  @Test(arguments: 2..<10, Self.scribbles)
  func aHeaderThatIsScribbledWhileNobodyServesCostsNoLease(_ word: Int, _ value: UInt64) throws {
    let first = try scene.start()
    let lease = try first.take("a")
    scene.stop(first)
    try write(value, atWord: word, of: try #require(scene.segment))
    let second = try scene.start()
    #expect(second.end(of: lease) == nil)
    #expect(try second.refusal("a")?.code == .locked)
    let fence = try second.take("b").fence
    #expect(fence > lease.fence && fence <= Limits.fence)
  }

  @Test func aHeaderThatIsScribbledWhileItServesIsMended() throws {
    let service = try scene.start()
    let lease = try service.take("a")
    let segment = try #require(scene.segment)
    let before = try (0..<10).map { try read(word: $0, of: segment) }
    for word in 0..<10 { try write(.max, atWord: word, of: segment) }
    #expect(service.end(of: lease) == nil)
    // The last time that was seen goes on by itself.
    try eventually { try (0..<7).allSatisfy { try read(word: $0, of: segment) == before[$0] } }
    #expect(service.status().state == .ready && !service.isSucceeded)
  }

  @Test func aLongDescriptionIsCut() throws {
    #expect(LedgerSegment.description(key: scene.key) == "")
    scene.options.description = String(repeating: "d", count: 1000)
    _ = try scene.start()
    #expect(LedgerSegment.description(key: scene.key) == String(repeating: "d", count: 255))
  }

  @Test(.enabled(if: OwnNamespace.isAvailable, "needs CAP_SYS_ADMIN for a namespace of its own"))
  func aHostThatDestroysSegmentsIsRefused() throws {
    let refused = OwnNamespace.run { () -> Bool in
      guard writeFile("/proc/sys/kernel/shm_rmid_forced", "1") else { return false }
      do throws(LocalServiceError) {
        _ = try LocalLockService(Scene().options)
        return false
      } catch {
        if case .segmentsAreDestroyed = error { return true }
        return false
      }
    }
    #expect(refused == true)
  }

  private func write(_ value: UInt64, atWord word: Int, of segment: SharedMemorySegment) throws {
    let mapping = try segment.attach()
    mapping.baseAddress.storeBytes(of: value, toByteOffset: word * 8, as: UInt64.self)
    try mapping.detach()
  }

  private func read(word: Int, of segment: SharedMemorySegment) throws -> UInt64 {
    let mapping = try segment.attach(.readOnly)
    let value = mapping.baseAddress.load(fromByteOffset: word * 8, as: UInt64.self)
    try mapping.detach()
    return value
  }
}
