import Leasehold
import SysV
import Synchronization
import SystemPackage

/// The highest fence seen for each segment, in a segment of its own: it lives as long as the segments do, through every
/// restart of the service and no reboot.
///
/// ```
/// word 0   magic
/// then, for each segment   identifier and key, 4 bytes each; fence, 8 bytes; all zero where the place is free
/// ```
///
/// Made at the first fence, mode 0600; what another user made under its key is refused. A number that is read back is
/// only compared, never used for a size or a place.
final class FenceTable: Sendable {
  let key: IPCKey
  private let table = Mutex<Table?>(nil)

  private static let magic: UInt64 = 0x3145_434e_4546_484c
  private static let entryBytes = 16

  private final class Table {
    let mapping: SharedMemoryMapping

    init(_ mapping: consuming SharedMemoryMapping) { self.mapping = mapping }

    var capacity: Int { mapping.byteCount / FenceTable.entryBytes - 1 }

    func owner(_ place: Int) -> UInt64 { mapping.bytes.load(fromByteOffset: offset(place), as: UInt64.self) }
    func fence(_ place: Int) -> Untrusted<Int64> {
      Untrusted(mapping.bytes.load(fromByteOffset: offset(place) + 8, as: Int64.self))
    }

    func set(_ place: Int, owner: UInt64, fence: Int64) {
      // The fence first: a place that names a segment has one.
      mapping.bytes.storeBytes(of: fence, toByteOffset: offset(place) + 8, as: Int64.self)
      mapping.bytes.storeBytes(of: owner, toByteOffset: offset(place), as: UInt64.self)
    }

    private func offset(_ place: Int) -> Int { (place + 1) * FenceTable.entryBytes }
  }

  init(key: IPCKey) { self.key = key }

  /// Two below the control key's high half: "LF" for "LH".
  static func key(controlKey: Int32) -> IPCKey { IPCKey(rawValue: controlKey &- 0x0002_0000) }

  /// Refuses a fence that is older than the last one, and remembers a newer one.
  func see(_ fence: Int64, segment: Int32, key: Int32) throws(LeaseholdError) {
    try table.withLock { table throws(LeaseholdError) in
      let opened = if let table { table } else { try open() }
      table = opened
      try see(fence, Self.owner(segment, key), in: opened)
    }
  }

  private func see(_ fence: Int64, _ owner: UInt64, in table: Table) throws(LeaseholdError) {
    let places = 0..<table.capacity
    if let place = places.first(where: { table.owner($0) == owner }) {
      // One that no daemon ever gave would shut all callers out for ever.
      let last = table.fence(place).within(0...Limits.fence) ?? 0
      guard fence >= last else {
        throw LeaseholdError(
          .staleFence, "Fence \(fence) is older than \(last), which was seen since: somebody else holds the lock now.",
          facts: [("parameter", .text("fence")), ("fence", .number(fence)), ("last_fence", .number(last))])
      }
      if fence > last { table.set(place, owner: owner, fence: fence) }
      return
    }
    guard let place = places.first(where: { Self.isFree(table.owner($0)) }) else {
      throw LeaseholdError(
        .kernelLimit, "Fences are remembered for \(table.capacity) segments; remove segments that nobody uses.",
        facts: [("limit", .text("fences")), ("value", .number(Int64(table.capacity))), ("errno", .text("ENOSPC"))])
    }
    table.set(place, owner: owner, fence: fence)
  }

  /// The segment is gone.
  func forget(segment: Int32) {
    table.withLock { table in
      guard let table else { return }
      for place in 0..<table.capacity where table.owner(place) != 0 && Self.segment(table.owner(place)) == segment {
        table.set(place, owner: 0, fence: 0)
      }
    }
  }

  /// Never zero: identifiers are positive, so their highest bit is free to say that there is one.
  private static func owner(_ segment: Int32, _ key: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: key)) << 32 | UInt64(UInt32(bitPattern: segment)) | 1 << 31
  }

  private static func segment(_ owner: UInt64) -> Int32 { Int32(truncatingIfNeeded: owner & 0x7fff_ffff) }

  /// Returns true when no segment has the place, or its segment is gone.
  private static func isFree(_ owner: UInt64) -> Bool {
    guard owner != 0 else { return true }
    let status: SharedMemorySegment.Status
    do {
      status = try SharedMemorySegment(id: segment(owner)).status()
    } catch {
      // A segment that cannot be looked at is there, and its fence must not be forgotten.
      return error.saysGone
    }
    return status.permissions.key.rawValue != Int32(truncatingIfNeeded: owner >> 32)
  }

  private func open() throws(LeaseholdError) -> Table {
    let found = try explaining(openOrMake(), unusable)
    let owner = try explaining(found.status(), unusable).permissions
    do throws(LocalServiceError) {
      try OwnObject.fences.check(owner, key: key.rawValue)
    } catch {
      throw LeaseholdError(
        .internalError, "Fences cannot be remembered: \(error).",
        facts: [("errno", .text("EPERM")), ("limit", .text("SHMMNI")), ("value", .number(0))])
    }
    do throws(Errno) {
      let mapping = try found.attach()
      guard mapping.byteCount >= 2 * Self.entryBytes else { throw .invalidArgument }
      let magic = mapping.bytes.load(as: UInt64.self)
      guard magic == Self.magic || magic == 0 else { throw .invalidArgument }
      mapping.bytes.storeBytes(of: Self.magic, as: UInt64.self)
      return Table(mapping)
    } catch {
      throw unusable(error)
    }
  }

  private func openOrMake() throws(Errno) -> SharedMemorySegment {
    if let found = try ifThere(SharedMemorySegment.open(key: key)) { return found }
    let places = min(max(try SharedMemoryLimits.current().segments, 64), 1 << 16)
    return try .create(key: key, byteCount: (places + 1) * Self.entryBytes, mode: .ownerReadWrite)
  }

  private func unusable(_ error: Errno) -> LeaseholdError {
    LeaseholdError(
      error == .noSpace || error == .noMemory ? .kernelLimit : .internalError,
      "Fences cannot be remembered: segment \(key) cannot be used (\(error.label)); see GET /segments.",
      facts: [("errno", .text(error.label)), ("limit", .text("SHMMNI")), ("value", .number(0))])
  }
}
