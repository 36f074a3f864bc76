public import Leasehold
import LeaseholdHost
import Synchronization
import SysV

extension LocalLockService {
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

  /// The events from a number on.
  public func events(from number: UInt64, limit: Int) -> EventBatch {
    core.withLock { $0.ledger.events(from: number, limit: limit) }
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
