import Glibc
import Leasehold
import SysV
import SystemPackage

// Sets that native programs use: found and made as these programs do.

extension KernelSemaphores {
  /// Follows a native request to its set; makes it when asked, as `sem_get` or `new` would.
  func bind(
    _ request: NativeRequest, creating: Bool, access: IPCAccess?
  ) throws(BindFailure) -> BoundSet {
    let key: IPCKey
    switch request.place {
    case .id(let id):
      guard let found = try describe(SemaphoreSet(id: id), request, access) else { throw .noSet(errno: "EINVAL") }
      return found
    case .key(let number): key = IPCKey(rawValue: number)
    case .path(let path, let project):
      key = try pathRoots.key(
        of: path, project: project, creating: creating, touching: request.touches,
        for: FileCaller(request.peer, groups: request.groups))
    }
    if key.rawValue == controlKey { throw .ownSet }
    for _ in 0..<Self.attempts {
      if let found = try open(key, request, access) { return found }
      guard creating else { throw .noSet(errno: "ENOENT") }
      if let made = try make(key, request) { return made }
    }
    throw .kernel(KernelFailure(.exists))
  }

  /// The set of a key, asked for with the permissions that the native program asks for; `nil` when there is none.
  private func open(
    _ key: IPCKey, _ request: NativeRequest, _ access: IPCAccess?
  ) throws(BindFailure) -> BoundSet? {
    let mode: IPCMode = request.dialect.wantsAccess ? .ownerReadWrite : []
    let set = try explaining(ifThere(SemaphoreSet.open(key: key, mode: mode))) { BindFailure.kernel(failure($0)) }
    guard let set else { return nil }
    return try describe(set, request, access)
  }

  /// Looks at a set and refuses one of the wrong size, and one that is not for the caller; `nil` where it is gone.
  private func describe(
    _ set: SemaphoreSet, _ request: NativeRequest, _ access: IPCAccess?, wasMade: Bool = false
  ) throws(BindFailure) -> BoundSet? {
    let status = try explaining(ifThere(set.anyStatus())) { BindFailure.kernel(failure($0)) }
    guard let status else { return nil }
    if status.permissions.key.rawValue == controlKey { throw .ownSet }
    if let access { try check(status, request, access) }
    if request.dialect.hasFixedSize, status.count != request.count { throw .otherSize(found: status.count) }
    let id = BankID(set: set.id, key: status.permissions.key.rawValue)
    let wasMade = finishIfAbandoned(set, status, request) || wasMade
    return BoundSet(id: id, count: status.count, hasLedger: hasLedger(set, status), wasMade: wasMade)
  }

  /// Gives no caller over HTTP what the kernel would refuse its own process.
  private func check(
    _ status: SemaphoreSet.Status, _ request: NativeRequest, _ access: IPCAccess
  ) throws(BindFailure) {
    var wanted = access
    if case .alter = access, request.dialect.wantsAccess {
      wanted = .open(mode: IPCMode(rawValue: request.permissions))
    }
    guard !status.permissions.lets(request.peer, wanted, groups: request.groups) else { return }
    if case .control = access { throw .kernel(KernelFailure(.notPermitted)) }
    throw .kernel(KernelFailure(.accessDenied))
  }

  /// Returns true when a set was made by Leasehold for `path:` locks.
  func hasLedger(_ set: Int32, count: Int) -> Bool {
    let set = SemaphoreSet(id: set)
    guard let status = try? set.anyStatus(), status.count == count else { return false }
    return hasLedger(set, status)
  }

  /// Returns true when a set was made by Leasehold for `path:` locks: this user made it, and its last three values say
  /// so.
  private func hasLedger(_ set: SemaphoreSet, _ status: SemaphoreSet.Status) -> Bool {
    let trailer = status.count - CounterDialect.trailerSemaphores
    guard status.permissions.creator == HostFacts.uid, trailer >= 2, trailer % 2 == 0 else { return false }
    return self.trailer(CounterDialect.layoutVersion).enumerated().allSatisfy { place, value in
      (try? set.value(of: trailer + place)) == value
    }
  }

  // MARK: Making

  /// Makes a set; `nil` when another process was faster.
  private func make(_ key: IPCKey, _ request: NativeRequest) throws(BindFailure) -> BoundSet? {
    let mode = IPCMode(rawValue: request.permissions)
    let set: SemaphoreSet
    do {
      set =
        switch request.dialect {
        case .path: try makeCounters(key, request, mode)
        case .sysv: try makeSet(key, request.values, mode, from: Self.unfinished)
        case .php, .apache: try SemaphoreSet.create(key: key, count: request.count, mode: mode)
        }
    } catch .fileExists {
      return nil
    } catch {
      throw .kernel(failure(error, making: request.count))
    }
    func handOver() throws(Errno) {
      if request.values.isEmpty { try set.markAsFinished() }
      try self.handOver(set, to: request.peer)
    }
    // A native program may find it and remove it before it is looked at: symfony/lock releases that way.
    let isThere = try explaining(ifThere(set.orRemove(handOver))) { BindFailure.kernel(failure($0)) } != nil
    return isThere ? try describe(set, request, nil, wasMade: true) : nil
  }

  /// A set for IPC::Semaphore::Concurrency, with room for a ledger.
  ///
  /// Behind the semaphores that were asked for come as many ledgers and a trailer, at which its programs do not look.
  /// No other program gets in before the values are there.
  private func makeCounters(
    _ key: IPCKey, _ request: NativeRequest, _ mode: IPCMode
  ) throws(Errno) -> SemaphoreSet {
    do {
      return try makeSet(key, valuesWithLedger(request), mode)
    } catch .invalidArgument {
      // More than SEMMSL with the ledger; without it as large as a native program's may be.
      return try makeSet(key, request.values, mode)
    }
  }

  /// The mode of a `sysv:` set that is being made, and has no values yet.
  ///
  /// Its user may use it, and waits for the values; the bit that the kernel does not look at is one that no program
  /// sets.
  static let unfinished = IPCMode(rawValue: 0o610)

  private func valuesWithLedger(_ request: NativeRequest) -> [UInt16] {
    request.values + [UInt16](repeating: 0, count: request.count) + trailer(CounterDialect.layoutVersion)
  }

  /// Finishes a set that a daemon made and did not live to give its values: of that size or mode, no program ever used
  /// it.
  private func finishIfAbandoned(
    _ set: SemaphoreSet, _ status: SemaphoreSet.Status, _ request: NativeRequest
  ) -> Bool {
    guard !request.values.isEmpty, request.values.count == request.count, status.operatedAtSeconds == nil,
      status.permissions.creator == HostFacts.uid
    else { return false }
    let isPath = request.dialect == .path
    let values =
      isPath ? valuesWithLedger(request) : [UInt16](repeating: request.values[0], count: status.count)
    let unfinished = isPath ? .ownerReadWrite : Self.unfinished
    guard status.count == values.count, status.permissions.mode == unfinished,
      !isPath || (try? set.values())?.allSatisfy({ $0 == 0 }) ?? false,
      (try? finish(set, values, IPCMode(rawValue: request.permissions), from: unfinished)) != nil
    else { return false }
    return (try? handOver(set, to: request.peer)) != nil
  }

  /// A set that is made for a caller on the Unix socket becomes its user's, as if it had made it; the creator keeps its
  /// rights.
  private func handOver(_ set: SemaphoreSet, to peer: Peer) throws(Errno) {
    guard case .local(_, let uid, let gid) = peer, uid != HostFacts.uid else { return }
    try set.setPermissions(try set.status().permissions.with(owner: uid, group: gid))
  }

  // MARK: Looking and removing

  /// The key of a request, as far as it can be known without making anything.
  func key(of request: NativeRequest) -> Int32? {
    switch request.place {
    case .key(let key): key
    case .id(let id): (try? SemaphoreSet(id: id).anyStatus())?.permissions.key.rawValue
    case .path(let path, let project):
      (try? pathRoots.key(
        of: path, project: project, creating: false, touching: false,
        for: FileCaller(request.peer, groups: request.groups)))?.rawValue
    }
  }

  /// All values of a set.
  func read(_ set: Int32) -> SetReading {
    do throws(Errno) {
      return try ifThere(SemaphoreSet(id: set).values()).map(SetReading.values) ?? .gone
    } catch {
      return .unreadable
    }
  }

  /// The traces of a set by which writes to its values are noticed.
  func trace(_ set: Int32) -> SetTrace? {
    // The kernel stamps sets with the seconds that this tells, not with those of a finer clock.
    let read = Int64(time(nil))
    guard let status = try? SemaphoreSet(id: set).anyStatus() else { return nil }
    let permissions = status.permissions
    return SetTrace(
      changed: status.changedAtSeconds, operated: status.operatedAtSeconds ?? 0, owner: permissions.owner,
      group: permissions.group, mode: UInt32(permissions.mode.rawValue), read: read)
  }

  /// This process.
  var process: Int32 { HostFacts.pid }

  /// Removes a set.
  func remove(_ set: Int32) -> KernelOutcome { outcome(of: try SemaphoreSet(id: set).remove()) }
}

extension NativeRequest.Dialect {
  /// PHP and Apache::Session ask for a set of one size.
  fileprivate var hasFixedSize: Bool { self == .php || self == .apache }
  /// PHP and Apache::Session ask for read and write at semget; the others only when they operate.
  fileprivate var wantsAccess: Bool { hasFixedSize }
}
