public import Leasehold
import LeaseholdHost
import Synchronization
import SysV
import SystemPackage
public import SysVTypes

extension LocalLockService {
  /// Opens a set, and makes it where there is none.
  ///
  /// - Throws: As ``SemaphoreService/makeSemaphoreSet(_:)``.
  public func makeSemaphoreSet(_ request: SemaphoreSetRequest) throws(LeaseholdError) -> (
    info: SemaphoreSetInfo, isNew: Bool
  ) {
    let perSetMax = try explaining(SemaphoreLimits.current().semaphoresPerSet, LeaseholdError.outOfRoom)
    guard request.semaphoreCount <= perSetMax else {
      throw .impossibleCount(request.semaphoreCount, perSetMax: perSetMax)
    }
    // A set that is removed between the two calls, or made, is looked for again.
    for _ in 0..<8 {
      if let made = try create(request, perSetMax: perSetMax) { return made }
      if request.isExclusive { throw exists(request) }
      if let found = try open(request) { return found }
    }
    throw explain(.identifierRemoved, .key(request.key), "open")
  }

  /// Makes the set; `nil` when the key is taken.
  private func create(_ request: SemaphoreSetRequest, perSetMax: Int) throws(LeaseholdError) -> (
    info: SemaphoreSetInfo, isNew: Bool
  )? {
    let mode = IPCMode(rawValue: request.mode)
    let set: SemaphoreSet
    do {
      set = try SemaphoreSet.create(
        key: IPCKey(rawValue: request.key), count: request.semaphoreCount, mode: .ownerReadWrite)
    } catch .fileExists {
      return nil
    } catch .invalidArgument {
      throw .impossibleCount(request.semaphoreCount, perSetMax: perSetMax)
    } catch {
      throw explain(error, .key(request.key), "make")
    }
    func setUp() throws(Errno) -> SemaphoreSet.Status {
      if let values = request.values { try set.setValues(values) }
      try set.markAsFinished()
      if mode != .ownerReadWrite || request.caller.peer.uid != nil { try settle(set, request, mode) }
      return try set.status()
    }
    return (describe(set, try explaining(set.orRemove(setUp)) { explain($0, .id(set.id), "set up") }), true)
  }

  /// Lets others in: until here the set was this service's alone.
  private func settle(_ set: SemaphoreSet, _ request: SemaphoreSetRequest, _ mode: IPCMode) throws(Errno) {
    var permissions = try set.status().permissions
    permissions.mode = mode
    guard case .local(_, let uid, let gid) = request.caller.peer else { return try set.setPermissions(permissions) }
    do {
      try set.setPermissions(permissions.with(owner: uid, group: gid))
    } catch .invalidArgument {
      // A user of whom this user namespace knows nothing can own nothing in it.
      try set.setPermissions(permissions)
    }
  }

  /// Opens the set as semget(2) would; `nil` when it is gone by now.
  private func open(_ request: SemaphoreSetRequest) throws(LeaseholdError) -> (info: SemaphoreSetInfo, isNew: Bool)? {
    let key = IPCKey(rawValue: request.key)
    let set: SemaphoreSet
    do {
      set = try SemaphoreSet.open(
        key: key, count: request.semaphoreCount, mode: IPCMode(rawValue: request.mode))
    } catch .noSuchFileOrDirectory {
      return nil
    } catch .invalidArgument {
      guard let smaller = try? SemaphoreSet.open(key: key), let info = look(at: smaller) else { return nil }
      throw .otherCount(request.semaphoreCount, info, "ask for as many or fewer, or use another key", errno: "EINVAL")
    } catch {
      throw explain(error, .key(request.key), "open")
    }
    guard let info = look(at: set) else { return nil }
    try check(info, request.caller, .open(mode: IPCMode(rawValue: request.mode)))
    return (info, false)
  }

  /// The kernel's status of a set whatever its mode; `nil` when it is gone.
  private func look(at set: SemaphoreSet) -> SemaphoreSetInfo? { (try? set.anyStatus()).map { describe(set, $0) } }

  private func exists(_ request: SemaphoreSetRequest) -> LeaseholdError {
    let name = IPCAddress.key(request.key).text
    return LeaseholdError(
      .exists, "Key \(name) has a set already; leave 'exclusive' out to use it, or choose another key.",
      facts: [("set", .text(name)), ("errno", .text("EEXIST"))])
  }

  /// Changes owner, group or mode.
  ///
  /// - Throws: As ``SemaphoreService/changeSemaphoreSet(_:uid:gid:mode:caller:)``.
  public func changeSemaphoreSet(
    _ address: IPCAddress, uid: UInt32?, gid: UInt32?, mode: UInt16?, caller: Caller
  ) throws(LeaseholdError) -> SemaphoreSetInfo {
    let (set, info) = try findForeign(address, for: caller, .control, readable: true)
    let moment = moment(HostClock.now())
    // The look comes before, the note after, both in the ledger's mutex: the change moves the time that tells of
    // writes.
    do throws(Errno) {
      try change { ledger throws(Errno) in
        ledger.lookForWrites(on: set.id, at: moment)
        defer { ledger.wroteStatus(of: set.id) }
        let permissions = try set.status().permissions
        try set.setPermissions(permissions.with(owner: uid, group: gid, mode: mode))
      }
    } catch {
      if error == .invalidArgument, look(at: set) != nil { throw .unmapped(uid == nil ? "gid" : "uid") }
      throw explain(error, address, "change")
    }
    return look(at: set) ?? info
  }

  /// Writes values.
  ///
  /// - Throws: As ``SemaphoreService/writeSemaphores(_:_:force:caller:at:)``.
  public func writeSemaphores(
    _ address: IPCAddress, _ values: SemaphoreValues, force: Bool, caller: Caller, at now: MonotonicInstant
  ) throws(LeaseholdError) -> (info: SemaphoreSetInfo, broken: [String]) {
    // As natives: SETVAL asks for write permission alone.
    let (set, info) = try findForeign(address, for: caller, .alter)
    let numbers: Range<Int>?
    switch values {
    case .all(let values):
      guard values.count == info.status.count else {
        throw .otherCount(values.count, info, "give one value for each", errno: "EINVAL")
      }
      numbers = nil
    case .one(let number, _):
      guard number < info.status.count else { throw .noSuchSemaphore(number, info, address) }
      numbers = number..<number + 1
    }
    let moment = moment(now)
    let broken = try change { ledger throws(LeaseholdError) -> [String] in
      // No lease can come between the look and the write: both are inside the ledger's mutex.
      try ledger.prepareToWrite(
        numbers.map { [$0] }, of: set.id, count: info.status.count, force: force, at: moment)
      let refs = ledger.refs(on: numbers, of: set.id)
      guard refs.isEmpty || force else { throw .inUse(info, refs: refs, waiters: 0, "break the leases") }
      try ledger.checkReach(caller, on: numbers, of: set.id)
      let broken = ledger.breakLeases(on: numbers, of: set.id, at: moment)
      try explaining(write(values, to: set)) { explain($0, address, "write") }
      ledger.wroteValues(of: set.id, numbers)
      return broken
    }
    return (info, broken)
  }

  private func write(_ values: SemaphoreValues, to set: SemaphoreSet) throws(Errno) {
    switch values {
    case .all(let values): try set.setValues(values)
    case .one(let number, let value): try set.setValue(value, of: number)
    }
  }

  /// Removes a set.
  ///
  /// - Throws: As ``SemaphoreService/removeSemaphoreSet(_:force:caller:at:)``.
  public func removeSemaphoreSet(
    _ address: IPCAddress, force: Bool, caller: Caller, at now: MonotonicInstant
  ) throws(LeaseholdError) -> SemaphoreSetInfo {
    let (set, info) = try findForeign(address, for: caller, .control)
    let moment = moment(now)
    let sleepers = sleepers(on: set, info)
    try change { ledger throws(LeaseholdError) in
      let refs = ledger.refs(on: nil, of: set.id)
      let natives = ledger.nativeUse(of: set.id) == nil ? 0 : 1
      let waiters = sleepers + natives + (ledger.hasWaiters(on: set.id) ? 1 : 0)
      guard refs.isEmpty && waiters == 0 || force else {
        throw .inUse(info, refs: refs, waiters: waiters, "remove it")
      }
      try ledger.checkReach(caller, on: nil, of: set.id)
      try explaining(set.remove()) { explain($0, address, "remove") }
      ledger.setRemoved(set.id, at: moment)
    }
    return info
  }

  /// The number of sleepers on the set, natives and our own; 0 where it may not be read.
  private func sleepers(on set: SemaphoreSet, _ info: SemaphoreSetInfo) -> Int {
    (0..<info.status.count).reduce(0) { count, number in
      count + ((try? set.waiterCount(of: number)) ?? 0) + ((try? set.zeroWaiterCount(of: number)) ?? 0)
    }
  }

  /// A set that is not one of this service's own, for a caller to whom the kernel would give that access.
  ///
  /// Removing needs no read permission, so a set that may not be read is found all the same, unless it is to be.
  func findForeign(
    _ address: IPCAddress, for caller: Caller, _ access: IPCAccess, readable: Bool = false
  ) throws(LeaseholdError) -> (set: SemaphoreSet, info: SemaphoreSetInfo) {
    let found: (set: SemaphoreSet, info: SemaphoreSetInfo)
    do {
      found = try find(address)
    } catch {
      guard !readable, error.code == .permissionDenied, let set = try? SemaphoreSet.named(address),
        let info = look(at: set)
      else { throw error }
      found = (set, info)
    }
    guard found.info.role == nil else { throw .ownSet(found.info) }
    try check(found.info, caller, access)
    return found
  }
}

extension SemaphoreSet {
  /// The set of an address.
  static func named(_ address: IPCAddress) throws(Errno) -> SemaphoreSet {
    switch address {
    case .id(let id): SemaphoreSet(id: id)
    case .key(let key): try open(key: IPCKey(rawValue: key))
    }
  }
}

extension LeaseholdError {
  /// A user or group that the kernel does not know here.
  fileprivate static func unmapped(_ parameter: String) -> LeaseholdError {
    LeaseholdError(
      .outOfRange, "'\(parameter)' names nobody in this user namespace; see /proc/self/uid_map and gid_map.",
      facts: [("parameter", .text(parameter)), ("errno", .text("EINVAL"))])
  }
}
