public import Leasehold
import PHPVariables
import SysV
import SystemPackage
public import SysVTypes

extension SegmentStore {
  /// Finds a segment.
  ///
  /// - Throws: As ``VariableStore/segment(_:making:)``.
  public func segment(_ address: IPCAddress?, making: Bool) throws(LeaseholdError) -> SegmentInfo {
    let segment = try making ? resolve(address) : existing(address ?? .key(options.defaultKey))
    try check(segment, .read, address)
    // Who is about to use its variables attaches it for that, and learns the word size then.
    if !making, let seen = look(segment) {
      var info = describe(segment, seen.status)
      info.wordBits = seen.wordBits
      return info
    }
    // The word size of a segment that may not be read is not known.
    return describe(segment, try explaining(segment.status()) { explain($0, address) })
  }

  /// The status of a segment before it was attached, and while no other request had it attached: as other programs see
  /// it.
  private func look(_ segment: SharedMemorySegment) -> (status: SharedMemorySegment.Status, wordBits: Int?)? {
    try? attached(.id(segment.id), .readOnly) { (status, _, bytes) throws(LeaseholdError) in
      (status, (try? VariableSegment(bytes))?.word.bits)
    }
  }

  /// The host's segments, from an index on, and the kernel's limits.
  ///
  /// - Throws: As ``VariableStore/segments(from:limit:)``.
  public func segments(from cursor: Int, limit: Int) throws(LeaseholdError) -> SegmentInventory {
    do throws(Errno) {
      let (limits, usage) = (try SharedMemoryLimits.current(), try SharedMemoryUsage.current())
      let entries = try IPCInventory.sharedMemorySegments()
      return SegmentInventory(entries, from: cursor, limit: limit, limits, usage) { describe($0.segment, $0.status) }
    } catch {
      throw LeaseholdError(
        .internalError, "The kernel does not tell its segments (\(error.label)).",
        facts: [("errno", .text(error.label))])
    }
  }

  /// Makes a segment, or finds the one that is there.
  ///
  /// - Throws: As ``VariableStore/create(_:)``.
  public func create(_ request: SegmentRequest) throws(LeaseholdError) -> (
    segment: SegmentInfo, created: Bool, initialized: Bool
  ) {
    try makers.take { () throws(LeaseholdError) in
      let segment: SharedMemorySegment
      // A segment that is there costs its caller nothing.
      if let key = request.key, (try? existing(.key(key))) != nil { return try adopt(.key(key), request) }
      let claim = try claims.claim(request)
      do throws(Errno) {
        segment = try SharedMemorySegment.create(
          key: request.key.map(IPCKey.init) ?? .private, byteCount: request.byteCount,
          mode: IPCMode(rawValue: request.mode))
      } catch {
        guard error == .fileExists, let key = request.key else { throw full(error, request) }
        return try adopt(.key(key), request)
      }
      do throws(LeaseholdError) {
        let initialized = try unrestricted.initialize(.id(segment.id), force: true)
        try handOver(segment)
        claims.keep(claim, for: segment.id)
        let info = try unrestricted.segment(.id(segment.id), making: false)
        return (segment: info, created: true, initialized: initialized)
      } catch {
        try? segment.remove()
        claims.forget(segment.id)
        throw error
      }
    }
  }

  /// Leaves a segment that is there as it is, unless it is to get a header and has no good one.
  private func adopt(_ address: IPCAddress, _ request: SegmentRequest) throws(LeaseholdError) -> (
    segment: SegmentInfo, created: Bool, initialized: Bool
  ) {
    let found = try existing(address)
    try check(found, .open(mode: IPCMode(rawValue: request.mode)), address)
    let id = IPCAddress.id(found.id)
    let info = try unrestricted.segment(id, making: false)
    guard !info.isOwn else { throw ownSegment(address) }
    let initialized = request.initializes ? try initialize(id, force: false) : false
    return (
      segment: try unrestricted.segment(id, making: false), created: false, initialized: initialized
    )
  }

  private func initialize(_ address: IPCAddress, force: Bool) throws(LeaseholdError) -> Bool {
    try attached(address, .readWrite) { (_, _, bytes) throws(LeaseholdError) in
      if !force, (try? VariableSegment(bytes)) != nil { return false }
      do throws(SegmentFlaw) { try VariableSegment.initialize(bytes) } catch { throw corrupt(error, address) }
      return true
    }
  }

  /// Changes owner or mode.
  ///
  /// - Throws: As ``VariableStore/change(_:uid:gid:mode:)``.
  public func change(
    _ address: IPCAddress, uid: UInt32?, gid: UInt32?, mode: UInt16?
  ) throws(LeaseholdError) -> SegmentInfo {
    let segment = try existing(address)
    try check(segment, .control, address)
    let permissions = try status(segment, address).permissions.with(owner: uid, group: gid, mode: mode)
    if (uid, gid, mode) != (nil, nil, nil) {
      try explaining(segment.setPermissions(permissions)) { explain($0, address) }
    }
    return try unrestricted.segment(.id(segment.id), making: false)
  }

  /// Removes a segment.
  ///
  /// - Throws: As ``VariableStore/remove(_:force:)``.
  public func remove(_ address: IPCAddress, force: Bool) throws(LeaseholdError) -> SegmentInfo {
    let segment = try existing(address)
    let info = describe(segment, try status(segment, address))
    try check(segment, .control, address)
    let attached = info.status.attachCount
    guard attached == 0 || force else {
      throw LeaseholdError(
        .inUse,
        "Segment id:\(segment.id) is attached \(attached) times (ipcs -m -p): these programs would go on in it "
          + "and find nobody else there. Wait until they are gone, or give force=true.",
        facts: [("segment", .text("id:\(segment.id)")), ("nattch", .number(Int64(attached)))])
    }
    try explaining(segment.remove()) { explain($0, address) }
    fences.forget(segment: segment.id)
    claims.forget(segment.id)
    return info
  }

  /// As ``resolve(_:)``, but makes nothing: a request that removes one needs no new one.
  func existing(_ address: IPCAddress) throws(LeaseholdError) -> SharedMemorySegment {
    switch address {
    case .id(let id): SharedMemorySegment(id: id)
    case .key(let key):
      try explaining(SharedMemorySegment.open(key: IPCKey(rawValue: key))) { explain($0, address) }
    }
  }

  /// Bytes of a segment.
  ///
  /// - Throws: As ``VariableStore/read(_:offset:length:)``.
  public func read(_ address: IPCAddress, offset: Int, length: Int?) throws(LeaseholdError) -> [UInt8] {
    try attached(.id(existing(address).id), .readOnly) { (_, _, bytes) throws(LeaseholdError) in
      let length = length ?? max(0, bytes.count - offset)
      try checkRange(offset, length, of: bytes.count)
      guard length <= options.readBytes else {
        throw LeaseholdError(
          .outOfRange,
          "'length' must be 0...\(options.readBytes) bytes in one answer (--max-value); read the rest with 'offset'.",
          facts: [
            ("parameter", .text("length")), ("value", .text("\(length)")), ("minimum", .number(0)),
            ("maximum", .number(Int64(options.readBytes))), ("size_bytes", .number(Int64(bytes.count))),
          ])
      }
      return Array(bytes[offset..<offset + length])
    }
  }

  /// Writes bytes, and zeros behind them.
  ///
  /// - Throws: As ``VariableStore/write(_:to:offset:length:)``.
  public func write(
    _ content: [UInt8], to address: IPCAddress, offset: Int, length: Int
  ) throws(LeaseholdError) -> SegmentInfo {
    let segment = try existing(address)
    try attached(.id(segment.id), .readWrite) { (_, _, bytes) throws(LeaseholdError) in
      try checkRange(offset, max(length, content.count), of: bytes.count)
      bytes[offset..<offset + content.count].copyBytes(from: content)
      for index in offset + content.count..<offset + max(length, content.count) { bytes[index] = 0 }
    }
    return try self.segment(.id(segment.id), making: false)
  }

  private func checkRange(_ offset: Int, _ length: Int, of count: Int) throws(LeaseholdError) {
    guard offset >= 0, length >= 0, offset <= count, length <= count - offset else {
      let isOffset = offset > count
      throw LeaseholdError(
        .outOfRange,
        isOffset
          ? "'offset' must be 0...\(count), the size of the segment."
          : "'length' must be 0...\(count - offset): the segment has \(count) bytes.",
        facts: [
          ("parameter", .text(isOffset ? "offset" : "length")), ("value", .text("\(isOffset ? offset : length)")),
          ("minimum", .number(0)), ("maximum", .number(Int64(isOffset ? count : count - offset))),
          ("errno", .text("EFAULT")), ("size_bytes", .number(Int64(count))),
        ])
    }
  }

  private func describe(_ segment: SharedMemorySegment, _ status: SharedMemorySegment.Status) -> SegmentInfo {
    var info = SegmentInfo(id: segment.id, status: status)
    info.isOwn = isOwn(status)
    return info
  }
}
