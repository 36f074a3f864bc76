import Leasehold
import SysV
import SystemPackage

extension LedgerSegment {
  /// Opens the ledger of a control key, or makes an empty one.
  ///
  /// The caller must be the only daemon.
  static func open(key: IPCKey, capacity: Int) throws(LocalServiceError) -> LedgerSegment {
    guard !HostFacts.segmentsDieWithTheirUsers() else { throw .segmentsAreDestroyed }
    let segment = try explaining(ifThere(SharedMemorySegment.open(key: key))) { OwnObject.ledger.notPermitted(key, $0) }
    guard let segment else { return try create(key: key, capacity: capacity) }
    try OwnObject.ledger.check(segment, key: key)
    let found = try adopt(segment, key: key)
    guard found.capacity != capacity, found.isEmpty else { return found }
    return try replace(found, capacity: capacity)
  }

  private static func create(key: IPCKey, capacity: Int) throws(LocalServiceError) -> LedgerSegment {
    let bytes = bytes(capacity: capacity)
    let mapping = try explaining(make(key, bytes)) {
      LocalServiceError.making("make the ledger (\(bytes) bytes)", StartLimit(bytes: bytes, $0), $0)
    }
    let ledger = LedgerSegment(Mapping(mapping), key: key, capacity: capacity, isFresh: true)
    ledger.mendHeader()
    return ledger
  }

  private static func adopt(_ segment: SharedMemorySegment, key: IPCKey) throws(LocalServiceError) -> LedgerSegment {
    let mapping = Mapping(try explaining(segment.attach()) { OwnObject.ledger.notPermitted(key, $0) })
    let byteCount = mapping.mapping.byteCount
    guard byteCount >= bytes(capacity: 1) else { throw .notALedger(key: key.rawValue, id: segment.id) }
    let room = (byteCount - headerBytes) / cellBytes
    let ledger = LedgerSegment(mapping, key: key, capacity: room, isFresh: false)
    ledger.takeWords()
    switch ledger.headerWord(0) {
    case magic: break
    case 0 where (0..<512).allSatisfy({ ledger.headerWord($0) == 0 || (1...2).contains($0) }):
      // A daemon died while it made the segment: without the magic it was never used.
      ledger.mendHeader()
    default: throw .notALedger(key: key.rawValue, id: segment.id)
    }
    guard ledger.headerWord(1) == layout else {
      throw .foreignLedger(key: key.rawValue, id: segment.id, found: ledger.headerWord(1), understood: layout)
    }
    return ledger
  }

  /// Where the daemon listens that made this user's ledger, in its own words; empty when that cannot be read.
  static func description(key: Int32) -> String {
    guard let segment = try? SharedMemorySegment.open(key: IPCKey(rawValue: key)),
      (try? OwnObject.ledger.check(segment, key: IPCKey(rawValue: key))) != nil,
      let mapping = try? segment.attach(.readOnly), mapping.byteCount >= headerBytes
    else { return "" }
    let area = mapping.bytes[descriptionWord * 8..<descriptionWord * 8 + descriptionBytes]
    return String(decoding: area.prefix { $0 != 0 }.map { $0 < 0x20 || $0 == 0x7f ? 0x3f : $0 }, as: UTF8.self)
  }

  /// True when no lease and no lock is in it.
  private var isEmpty: Bool {
    let used = header(.highWater).within(0...capacity) ?? 0
    return (0..<used).allSatisfy { commitWord(at: $0).isDisposable }
      && lastUsed(in: used..<min(capacity, used + 16_384)) == nil
  }

  /// Makes an empty ledger of another size in place of an empty one; fences go on from where they were.
  private static func replace(_ old: LedgerSegment, capacity: Int) throws(LocalServiceError) -> LedgerSegment {
    let lastFence = old.header(.lastFence).within(0...UInt64(Limits.foundFence)) ?? 0
    try explaining(old.mapping.mapping.segment.remove()) {
      LocalServiceError.kernel(what: "replace the empty ledger by one of another size", errno: $0)
    }
    let ledger = try create(key: old.key, capacity: capacity)
    ledger.setHeader(.lastFence, lastFence)
    return ledger
  }

  /// Puts a new segment, from memory, in the place of one that was removed (ipcrm -m); else puts right what another
  /// program wrote over its header.
  ///
  /// True when it was removed.
  func reviveIfRemoved() throws(LocalServiceError) -> Bool {
    let byteCount = Self.bytes(capacity: capacity)
    do throws(Errno) {
      guard try mapping.mapping.segment.status().isMarkedForRemoval else {
        mendHeader()
        return false
      }
      try move(to: Mapping(try Self.make(key, byteCount)))
      return true
    } catch {
      let limit = StartLimit(bytes: byteCount, error)
      throw .making("make the ledger anew, which somebody removed (\(byteCount) bytes)", limit, error)
    }
  }

  /// Makes a segment and attaches it, or leaves none.
  private static func make(_ key: IPCKey, _ byteCount: Int) throws(Errno) -> SharedMemoryMapping {
    let segment = try SharedMemorySegment.create(
      key: key, byteCount: byteCount, mode: .ownerReadWrite, options: .noReserve)
    do {
      return try segment.attach()
    } catch {
      // Its key would be in the way of the next attempt.
      try? segment.remove()
      throw error
    }
  }
}
