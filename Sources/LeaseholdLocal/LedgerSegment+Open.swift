import Leasehold
import SysV
import SystemPackage

extension LedgerSegment {
  /// Opens the ledger of a control key, or makes an empty one.
  ///
  /// The caller must be the only daemon.
  static func open(key: IPCKey, capacity: Int) throws(LocalServiceError) -> LedgerSegment {
    guard !HostFacts.segmentsDieWithTheirUsers() else { throw .segmentsAreDestroyed }
    let segment: SharedMemorySegment
    do {
      segment = try SharedMemorySegment.open(key: key)
    } catch .noSuchFileOrDirectory {
      return try create(key: key, capacity: capacity)
    } catch {
      throw OwnObject.ledger.notPermitted(key, error)
    }
    try OwnObject.ledger.check(segment, key: key)
    let found = try adopt(segment, key: key)
    guard found.capacity != capacity, found.isEmpty else { return found }
    return try replace(found, capacity: capacity)
  }

  private static func create(key: IPCKey, capacity: Int) throws(LocalServiceError) -> LedgerSegment {
    do {
      let ledger = LedgerSegment(
        Mapping(try make(key, bytes(capacity: capacity))), key: key, capacity: capacity, isFresh: true)
      ledger.initialize()
      return ledger
    } catch {
      let bytes = bytes(capacity: capacity)
      throw .making("make the ledger (\(bytes) bytes)", StartLimit(bytes: bytes, error), error)
    }
  }

  /// A segment without the magic was never used.
  private func initialize() { mendHeader() }

  private static func adopt(_ segment: SharedMemorySegment, key: IPCKey) throws(LocalServiceError) -> LedgerSegment {
    let mapping: Mapping
    do {
      mapping = Mapping(try segment.attach())
    } catch {
      throw OwnObject.ledger.notPermitted(key, error)
    }
    let byteCount = mapping.mapping.byteCount
    guard byteCount >= bytes(capacity: 1) else { throw .notALedger(key: key.rawValue, id: segment.id) }
    let room = (byteCount - headerBytes) / cellBytes
    let ledger = LedgerSegment(mapping, key: key, capacity: room, isFresh: false)
    ledger.takeWords()
    switch ledger.headerWord(0) {
    case magic: break
    case 0 where (0..<512).allSatisfy({ ledger.headerWord($0) == 0 || (1...2).contains($0) }):
      // A daemon died while it made the segment.
      ledger.initialize()
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
    let area = UnsafeRawBufferPointer(
      start: mapping.baseAddress + descriptionWord * 8, count: descriptionBytes)
    let text = String(decoding: area.prefix { $0 != 0 }.map { $0 < 0x20 || $0 == 0x7f ? 0x3f : $0 }, as: UTF8.self)
    return text
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
    do {
      try old.mapping.mapping.segment.remove()
    } catch {
      throw .kernel(what: "replace the empty ledger by one of another size", errno: error)
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
