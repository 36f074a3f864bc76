public import Leasehold
import LeaseholdHost
import Synchronization
import SysV

extension LocalLockService {
  /// Takes one lock, or several at once or none; or queues for them.
  public func acquire(
    _ request: AcquireRequest, client: () -> any LeaseClient, at now: MonotonicInstant
  ) -> AcquireOutcome {
    let moment = moment(now)
    return change { $0.acquire(request, client: client, at: moment) }
  }

  /// Turns a reader's lease into a writer's or back.
  public func convert(
    _ request: ConvertRequest, client: () -> any LeaseClient, at now: MonotonicInstant
  ) -> AcquireOutcome {
    let moment = moment(now)
    return change { $0.convert(request, client: client, at: moment) }
  }

  /// Takes back what can reach no caller any more.
  public func withdraw(_ withdrawal: Withdrawal, at now: MonotonicInstant) {
    let moment = moment(now)
    change { $0.withdraw(withdrawal, at: moment) }
  }

  /// Follows a lease.
  public func follow(_ lease: LeaseID, client: any LeaseClient) -> Bool { change { $0.follow(lease, client: client) } }

  /// Gives a lease back.
  ///
  /// - Throws: As ``LockService/release(_:on:within:at:)``.
  public func release(
    _ lease: LeaseID, on lock: LockName?, within confinement: Confinement?, at now: MonotonicInstant
  ) throws(LeaseholdError) -> ReleaseOutcome {
    let moment = moment(now)
    return try change { ledger throws(LeaseholdError) in
      try ledger.release(lease, key: lock?.key, native: lock?.native, within: confinement, at: moment)
    }
  }

  /// Gives a lease back at once.
  ///
  /// - Throws: As ``LockService/releaseEarly(_:on:within:at:)``.
  public func releaseEarly(
    _ lease: LeaseID, on lock: LockName?, within confinement: Confinement?, at now: MonotonicInstant
  ) throws(LeaseholdError) -> ReleaseOutcome {
    let moment = moment(now)
    return try change { ledger throws(LeaseholdError) in
      try ledger.release(
        lease, key: lock?.key, native: lock?.native, early: true, within: confinement, at: moment)
    }
  }

  /// Moves a lease's deadline.
  ///
  /// - Throws: As ``LockService/renew(_:on:ttl:within:at:)``.
  public func renew(
    _ lease: LeaseID, on lock: LockName?, ttl: TimeSpan?, within confinement: Confinement?, at now: MonotonicInstant
  ) throws(LeaseholdError) -> LeaseSnapshot {
    let moment = moment(now)
    return try change { ledger throws(LeaseholdError) in
      try ledger.renew(lease, key: lock?.key, native: lock?.native, ttl: ttl, within: confinement, at: moment)
    }
  }

  /// Adds locks to a lease.
  ///
  /// - Throws: As ``LockService/add(_:at:)``.
  public func add(_ request: AddRequest, at now: MonotonicInstant) throws(LeaseholdError) -> LeaseSnapshot {
    let moment = moment(now)
    return try change { ledger throws(LeaseholdError) in try ledger.add(request, at: moment) }
  }

  /// Sets the text that a holder shows.
  ///
  /// - Throws: As ``LockService/note(_:_:within:at:)``.
  public func note(
    _ lease: LeaseID, _ text: String?, within confinement: Confinement?, at now: MonotonicInstant
  ) throws(LeaseholdError) -> LeaseSnapshot {
    let moment = moment(now)
    return try change { ledger throws(LeaseholdError) in
      try ledger.note(lease, text, within: confinement, at: moment)
    }
  }

  /// Ends a holder's lease by force: root and this service's user end any, other local users their own, callers over
  /// TCP any, as nothing tells them apart.
  ///
  /// - Throws: As ``LockService/breakLease(_:at:)``.
  public func breakLease(
    _ request: BreakRequest, at now: MonotonicInstant
  ) throws(LeaseholdError) -> BreakOutcome {
    let moment = moment(now)
    var request = request
    if let uid = request.caller.peer.uid, uid != 0, uid != HostFacts.uid { request.onlyOf = uid }
    let asked = request
    return try change { ledger throws(LeaseholdError) in try ledger.breakLease(asked, at: moment) }
  }

  /// Gives a lease another id and holder.
  ///
  /// - Throws: As ``LockService/transfer(_:at:)``.
  public func transfer(
    _ request: TransferRequest, at now: MonotonicInstant
  ) throws(LeaseholdError) -> LeaseSnapshot {
    let moment = moment(now)
    return try change { ledger throws(LeaseholdError) in try ledger.transfer(request, at: moment) }
  }

  /// Binds a lease to the caller's connection.
  ///
  /// - Throws: As ``LockService/attach(_:at:)``.
  public func attach(_ request: AttachRequest, at now: MonotonicInstant) throws(LeaseholdError) -> LeaseSnapshot {
    let moment = moment(now)
    return try change { ledger throws(LeaseholdError) in try ledger.attach(request, at: moment) }
  }

  /// Takes back what an Idempotency-Key got or waits for.
  ///
  /// - Throws: As ``LockService/cancel(key:of:at:)``.
  public func cancel(
    key: String, of caller: Caller, at now: MonotonicInstant
  ) throws(LeaseholdError) -> CancelOutcome {
    let moment = moment(now)
    return try change { ledger throws(LeaseholdError) in try ledger.cancel(key: key, of: caller, at: moment) }
  }

  /// One lease.
  ///
  /// - Throws: As ``LockService/lease(_:within:at:)``.
  public func lease(
    _ lease: LeaseID, within confinement: Confinement?, at now: MonotonicInstant
  ) throws(LeaseholdError) -> LeaseSnapshot {
    let moment = moment(now)
    return try change { ledger throws(LeaseholdError) in try ledger.lease(lease, within: confinement, at: moment) }
  }

  /// The live leases.
  public func leases(_ filter: ListFilter) -> Page<LeaseSnapshot> {
    let page = inSlices(filter) { $0.leases($1) }
    addUse(to: page.entries)
    return page
  }

  /// Says how much CPU time the processes of leases used; /proc is read outside the ledger's lock, for lists alone.
  private func addUse(to leases: [LeaseSnapshot]) {
    let bound = leases.indices.filter { leases[$0].process != nil && leases[$0].state == .held }
    let places = bound.prefix(CPUTimes.leases)
    guard !places.isEmpty else { return }
    let uses = change { $0.uses(of: places.map { leases[$0].id }) }
    var times = CPUTimes()
    for place in places {
      guard let use = uses[leases[place].id], let used = times.used(use) else { continue }
      leases[place].remarks = (leases[place].remarks ?? HolderRemarks(note: nil)).using(used)
    }
  }

  /// Releases all leases of an owner.
  public func releaseAll(
    owner: String, key: LockKey?, of caller: Caller?, within confinement: Confinement?, at now: MonotonicInstant
  ) -> [String] {
    let moment = moment(now)
    return change { $0.releaseAll(owner: owner, key: key, of: caller, within: confinement, at: moment) }
  }

  /// One lock.
  ///
  /// - Throws: As ``LockService/lock(_:listed:)``.
  public func lock(_ lock: LockName, listed: Int) throws(LeaseholdError) -> LockSnapshot {
    var found = try change { ledger throws(LeaseholdError) in
      try ledger.lock(lock.key, lock.native, listed: listed)
    }
    let people = found.holders.lazy.map(\.peer) + found.waiters.lazy.map(\.peer)
    let native = found.nativeUnits.map { $0 > 0 } ?? true ? found.lastPID : nil
    var pids: Set<Int32> = []
    for case let pid? in [native] + people.prefix(Self.programsNamed).map(\.pid) { pids.insert(pid) }
    for pid in pids { found.programs[pid] = ProcessFacts.program(pid) }
    addUse(to: found.holders)
    return found
  }

  /// The holders and waiters whose programs an answer names: each costs a file of /proc.
  private static let programsNamed = 32

  /// Opens a lock without taking it.
  ///
  /// - Throws: As ``NativeLockService/open(_:for:at:)``.
  public func open(
    _ want: Want, for caller: Caller, at now: MonotonicInstant
  ) throws(LeaseholdError) -> OpenedLock {
    let moment = moment(now)
    return try change { ledger throws(LeaseholdError) in try ledger.open(want, for: caller, at: moment) }
  }

  /// Gives a counting lock another limit.
  ///
  /// - Throws: As ``LockService/resize(_:for:at:)``.
  public func resize(
    _ request: ResizeRequest, for caller: Caller, at now: MonotonicInstant
  ) throws(LeaseholdError) -> OpenedLock {
    let moment = moment(now)
    return try change { ledger throws(LeaseholdError) in try ledger.resize(request, for: caller, at: moment) }
  }

  /// Where a native name leads.
  ///
  /// - Throws: As ``NativeLockService/binding(_:_:)``.
  public func binding(_ key: LockKey, _ native: NativeRequest) throws(LeaseholdError) -> KeyBinding {
    try change { ledger throws(LeaseholdError) in try ledger.binding(key, native) }
  }

  /// The locks.
  public func locks(_ filter: ListFilter) -> Page<LockSnapshot> {
    var page = inSlices(filter) { $0.locks($1) }
    // No call tells these of a whole set; no other call waits for the ledger meanwhile.
    for index in page.entries.indices {
      guard let binding = page.entries[index].binding else { continue }
      let set = SemaphoreSet(id: binding.id)
      page.entries[index].lastPID = (try? set.lastProcessID(of: binding.semaphore)).flatMap { $0 > 0 ? $0 : nil }
      page.entries[index].kernelWaiters = try? set.waiterCount(of: binding.semaphore)
    }
    return page
  }

  /// Puts a page together from pieces: between two of them others have the ledger.
  private func inSlices<Entry>(_ filter: ListFilter, _ slice: (Ledger, ListFilter) -> Page<Entry>) -> Page<Entry> {
    var page = Page<Entry>(entries: [], nextCursor: filter.cursor)
    var left = filter
    while let cursor = page.nextCursor, left.limit > 0, left.records > 0 {
      var piece = left
      piece.cursor = cursor
      piece.limit = min(left.limit, Self.entriesPerSlice)
      piece.records = min(left.records, Self.recordsPerSlice)
      let found = change { slice($0, piece) }
      page.entries += found.entries
      page.nextCursor = found.nextCursor
      left.limit -= found.entries.count
      left.records -= (found.nextCursor ?? cursor) - cursor
    }
    return page
  }

  /// The numbers that a listing takes from the ledger at once, so that no caller waits for a whole page.
  private static let (entriesPerSlice, recordsPerSlice) = (100, 5000)

  /// Removes a lock.
  ///
  /// - Throws: As ``LockService/remove(_:force:within:at:)``.
  public func remove(
    _ lock: LockName, force: Bool, within confinement: Confinement?, at now: MonotonicInstant
  ) throws(LeaseholdError) {
    let moment = moment(now)
    try change { ledger throws(LeaseholdError) in
      try ledger.remove(lock.key, lock.native, force: force, within: confinement, at: moment)
    }
  }

  /// Finds the process that a caller wants a lease bound to.
  ///
  /// - Throws: As ``ProcessService/process(_:of:socket:)``.
  public func process(
    _ asked: AskedProcess, of caller: Caller, socket: Int32
  ) throws(LeaseholdError) -> ProcessBinding { try processes.find(asked, of: caller.peer, socket: socket) }

  /// Sees that a process can be stopped for a caller.
  ///
  /// - Throws: As ``ProcessService/checkStop(of:for:)``.
  public func checkStop(of process: ProcessBinding, for caller: Caller) throws(LeaseholdError) {
    guard let watched = process.process as? WatchedProcess, watched.stamp.pid > 0 else {
      throw .processUnseen(process.name > 0 ? process.name : nil)
    }
    guard case .local(let pid, let uid, _) = caller.peer else { throw .bindNeedsUnixSocket(.peer) }
    // A root without the capability could not do it either.
    try watched.checkStop(for: uid, mayAll: uid == 0 && ProcessFacts(pid)?.mayKillAll ?? false)
  }

  /// A process ended that leases are bound to.
  func processEnded(_ process: any BoundProcess) {
    let moment = moment(HostClock.now())
    change { $0.processEnded(process, at: moment) }
  }

  /// The state of the service, and its counts.
  public func status() -> ServiceStatus {
    var status = core.withLock { $0.ledger.status() }
    status.faults = faults.current
    status.ledger?.ipcNamespace = HostFacts.ipcNamespace()
    status.ledger?.operationWaiters = operations.unfinished
    status.ledger?.processes = processes.watch.count
    status.ledger?.stateDirectoryFailures = fences?.failures ?? 0
    return status
  }
}
