public import Leasehold
import PHPVariables
import SysV
import Synchronization
import SystemPackage

/// The settings of this host's variables.
public struct SegmentStoreOptions: Sendable {
  /// The key of the segment that requests mean when they name none.
  public var defaultKey: Int32 = 0x4c53_4800
  /// Its size in bytes where it has to be made.
  public var defaultBytes = 1 << 20
  /// Names this service's own segments, which callers must not touch.
  public var controlKey: Int32 = 0x4c48_0001
  /// The most bytes that one answer carries.
  public var readBytes = 1 << 20

  /// All defaults.
  public init() {}
}

/// PHP's variables in the segments of this IPC namespace.
///
/// A segment is attached for each call and detached at its end, so one that a native program removes goes when that
/// program expects it to. Calls on one segment take turns; so do all that may make one.
public final class SegmentStore: VariableStore {
  let options: SegmentStoreOptions
  let fences: FenceTable
  let claims: SegmentClaims
  /// The caller, where the kernel would not let its user do everything.
  let caller: Caller?
  private let turns: [Turn]
  /// Taken by all that may make a segment.
  let makers: Turn

  /// A mutex in an array.
  final class Turn: Sendable {
    private let mutex = Mutex(())

    func take<Result: Sendable>(
      _ body: () throws(LeaseholdError) -> Result
    ) throws(LeaseholdError) -> Result { try mutex.withLock { _ throws(LeaseholdError) in try body() } }
  }

  /// Makes a store; nothing is touched before the first call.
  public init(_ options: SegmentStoreOptions) {
    self.options = options
    fences = FenceTable(key: FenceTable.key(controlKey: options.controlKey))
    claims = SegmentClaims()
    turns = (0..<64).map { _ in Turn() }
    makers = Turn()
    caller = nil
  }

  /// The same store for another caller.
  private init(_ other: SegmentStore, for caller: Caller?) {
    (options, fences, turns, makers) = (other.options, other.fences, other.turns, other.makers)
    claims = other.claims
    self.caller = caller
  }

  /// The same store for a caller: itself for all but users of the Unix socket other than root.
  public func acting(for caller: Caller) -> any VariableStore {
    guard let uid = caller.peer.uid, uid != 0 else { return self }
    return SegmentStore(self, for: caller)
  }

  /// The same store with the rights of the service.
  var unrestricted: SegmentStore { caller == nil ? self : SegmentStore(self, for: nil) }

  // MARK: Finding

  func text(_ address: IPCAddress?) -> String { (address ?? .key(options.defaultKey)).text }

  /// The segment of an address.
  ///
  /// The default one is made where it is missing.
  func resolve(_ address: IPCAddress?) throws(LeaseholdError) -> SharedMemorySegment {
    if let address, address != .key(options.defaultKey) { return try existing(address) }
    let key = IPCKey(rawValue: options.defaultKey)
    let found = try explaining(ifThere(SharedMemorySegment.open(key: key))) { explain($0, address) }
    if let found { return found }
    let request = SegmentRequest(
      key: options.defaultKey, byteCount: options.defaultBytes, mode: 0o666, initializes: false)
    // It belongs to all callers, not to the first.
    return SharedMemorySegment(id: try unrestricted.create(request).segment.id)
  }

  /// Looks at a segment, and refuses one that is this service's own.
  func status(
    _ segment: SharedMemorySegment, _ address: IPCAddress?
  ) throws(LeaseholdError) -> SharedMemorySegment.Status {
    let status = try explaining(segment.status()) { explain($0, address) }
    if isOwn(status) { throw ownSegment(address) }
    return status
  }

  func isOwn(_ status: SharedMemorySegment.Status) -> Bool {
    let key = status.permissions.key.rawValue
    return key == options.controlKey || key == fences.key.rawValue
  }

  // MARK: Using

  /// Runs `body` with the bytes of a segment while no other call of this service is in it.
  func attached<Result: Sendable>(
    _ address: IPCAddress?, _ access: SharedMemoryMapping.Access,
    _ body: (SharedMemorySegment.Status, SharedMemorySegment, UnsafeMutableRawBufferPointer) throws(LeaseholdError) ->
      Result
  ) throws(LeaseholdError) -> Result {
    let segment = try resolve(address)
    return try turns[Int(segment.id.magnitude) % turns.count].take { () throws(LeaseholdError) in
      let status = try status(segment, address)
      // As shmat(2): writing needs both permissions.
      try check(status, .read, address)
      if access == .readWrite { try check(status, .alter, address) }
      let owner = LedgerSegment.Mapping(try explaining(segment.attach(access)) { explain($0, address) })
      let bytes = owner.mapping.bytes
      // A ledger whose key was taken away by ipcrm is still the ledger.
      if bytes.count >= 8, bytes.loadUnaligned(as: UInt64.self) == LedgerSegment.magic {
        throw ownSegment(address)
      }
      // The bytes are there as long as their owner is.
      return try withExtendedLifetime(owner) { () throws(LeaseholdError) in try body(status, segment, bytes) }
    }
  }

  // MARK: Access: no caller gets over HTTP what shmat(2), shmget(2) or shmctl(2) would refuse its own process

  /// Throws where the kernel would not let the caller do this with a segment.
  func check(
    _ segment: SharedMemorySegment, _ access: IPCAccess, _ address: IPCAddress?
  ) throws(LeaseholdError) {
    guard caller != nil else { return }
    try check(explaining(segment.status()) { explain($0, address) }, access, address)
  }

  private func check(
    _ status: SharedMemorySegment.Status, _ access: IPCAccess, _ address: IPCAddress?
  ) throws(LeaseholdError) {
    guard let caller, !status.permissions.lets(caller.peer, access, groups: caller.groups) else { return }
    throw .notYours("segment", text(address), access, list: "/segments")
  }

  /// A segment that is made for a user of the Unix socket becomes that user's, as if it had been made natively.
  func handOver(_ segment: SharedMemorySegment) throws(LeaseholdError) {
    guard case .local(_, let uid, let gid)? = caller?.peer else { return }
    do throws(Errno) {
      try segment.setPermissions(try segment.status().permissions.with(owner: uid, group: gid))
    } catch {
      // A user of whom this user namespace knows nothing can own nothing in it.
      guard error == .invalidArgument else { throw explain(error, .id(segment.id)) }
    }
  }
}
