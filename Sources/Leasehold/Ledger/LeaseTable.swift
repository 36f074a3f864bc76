/// The leases by their ids, records, bindings and retries, in the order of their deadlines.
///
/// A lease stands on one lock, among its holders at the place that it knows; it has at most one deadline; counts are
/// never below zero. Only ``register(_:on:)`` puts a lease into all of that, and only ``unregister(_:as:)`` takes it
/// out.
struct LeaseTable: ~Copyable {
  let makeID: () -> LeaseID
  private var byID = KeyIndex<LeaseID, Lease>()
  /// All of them, parts and suspects too.
  private(set) var byCell = CellTable<Lease>()
  /// Leases that callers have or had: held ones, those that cool down, and suspects; each takes room.
  private(set) var count = 0
  /// Of these, those whose slots cool down.
  private(set) var coolingCount = 0
  /// Those of them whose slots are kept, because they asked for a time at least.
  private(set) var keptCount = 0
  /// Of these, the suspects: it is not known whether they took anything.
  private(set) var suspectCount = 0
  private(set) var deadlines = DeadlineQueue<Lease>()
  private var byConnection: [ConnectionID: [Lease]] = [:]
  /// The leases of each process, by their fences.
  private var byProcess: [ObjectIdentifier: [Int64: Lease]] = [:]
  /// Processes to be stopped that were not found again after a restart, since the service looked for them last.
  var unfound: Set<ProcessStamp> = []
  private var retries: [IdempotencyScope: Retry] = [:]
  private(set) var ends: TombstoneRing
  /// Idempotency-Keys that were taken back: they count no more.
  var canceled = RecentKeys<CallersKey>()
  /// Requests that newer ones ended, as their retries hear.
  var superseded = RecentKeys<IdempotencyScope>()

  /// The thing that an Idempotency-Key stands for.
  enum Retry {
    case lease(Lease)
    case waiter(WaiterID)
  }

  init(makeID: @escaping () -> LeaseID, ends capacity: Int) {
    self.makeID = makeID
    ends = TombstoneRing(capacity: capacity)
  }

  mutating func clear() {
    let (canceled, superseded) = (canceled, superseded)
    self = LeaseTable(makeID: makeID, ends: ends.capacity)
    (self.canceled, self.superseded) = (canceled, superseded)
  }

  // MARK: Standing on a lock

  /// Lets a lease stand on its lock: it can be found, retried, and comes due.
  mutating func register(_ lease: Lease, on lock: Lock) {
    precondition(lease.standing.index < 0 && byCell[lease.cell] == nil, "a lease stands on one lock, by one record")
    lease.standing.lock = lock
    lease.standing.index = lock.standing.holders.count
    lock.standing.holders.append(lease)
    lock.standing.unitsOut += lease.units
    lock.standing.lastFence = max(lock.standing.lastFence ?? 0, lease.fence)
    byCell[lease.cell] = lease
    if case .cooling = lease.state { lock.standing.coolingCount += 1 }
    guard !lease.isPart else { return }
    count(lease, 1, in: lease.state)
    // No caller was told of a suspect: a retry is a new request.
    if case .suspect = lease.state { return }
    byID[lease.id] = lease
    if lease.due > 0 { deadlines.insert(lease) }
    if let scope = IdempotencyScope(lease) { retries[scope] = .lease(lease) }
  }

  /// Takes a lease that is over out of everything but its retry, which goes with the memory of its end.
  ///
  /// - Returns: The lock that it stood on.
  @discardableResult
  mutating func unregister(_ lease: Lease, as reason: EndReason) -> Lock {
    guard let lock = lease.lock else { preconditionFailure("a lease ends once") }
    let (state, index) = (lease.state, lease.standing.index)
    let last = lock.standing.holders.removeLast()
    if last !== lease {
      precondition(lock.standing.holders[index] === lease, "a lease knows its place among the holders")
      lock.standing.holders[index] = last
      last.standing.index = index
    }
    lease.standing = Lease.Standing(.ended(reason))
    lock.standing.unitsOut -= lease.units
    if case .cooling = state { lock.standing.coolingCount -= 1 }
    precondition(lock.standing.unitsOut >= 0, "no lock gets more back than was out")
    byCell[lease.cell] = nil
    guard !lease.isPart else { return lock }
    count(lease, -1, in: state)
    if case .suspect = state {} else { byID[lease.id] = nil }
    deadlines.remove(lease)
    unbind(lease)
    return lock
  }

  @inline(__always)
  private mutating func count(_ lease: Lease, _ number: Int, in state: Lease.State) {
    count += number
    if let account = lease.asked.account { account.add(number, .leases) }
    switch state {
    case .cooling(_, let isKept):
      coolingCount += number
      if isKept { keptCount += number }
    case .suspect: suspectCount += number
    case .held, .ended: break
    }
    precondition(
      count >= coolingCount && coolingCount >= keptCount && keptCount >= 0, "no lease ends that was not counted")
  }

  /// Ends a lease and its parts for their holder; they stay on their locks until a time.
  mutating func cool(_ lease: Lease, _ reason: EndReason, isKept: Bool, until due: Int64) {
    precondition(lease.isHeld && !lease.isPart, "what cools down was held")
    for member in lease.members {
      member.standing.state = .cooling(reason, isKept: isKept)
      member.lock?.standing.coolingCount += 1
    }
    coolingCount += 1
    if isKept { keptCount += 1 }
    // Of one that is stopped the slots go on when its process is over, so that stays bound.
    if lease.bond?.stop == nil { unbind(lease) } else { unbindConnection(lease) }
    lease.record.deadline = due
    schedule(lease, due: due)
  }

  /// Gives a lease another form on its lock, in another record.
  mutating func convert(_ lease: Lease, to mode: LockMode, units: Int, at cell: Int) {
    precondition(byCell[lease.cell] === lease && byCell[cell] == nil, "a record has one lease")
    lease.lock?.standing.unitsOut += units - lease.units
    (lease.record.mode, lease.record.units) = (mode, units)
    byCell[lease.cell] = nil
    lease.cell = cell
    byCell[cell] = lease
  }

  /// Lets the parts of a lease belong to its successor, which has a fence of its own.
  mutating func moveParts(of old: Lease, to new: Lease) {
    guard case .whole(let parts) = old.kind else { return }
    for part in parts.leases {
      part.kind = .part(of: new)
      part.lock?.standing.lastFence = new.fence
    }
    (new.kind, old.kind) = (old.kind, .single)
  }

  /// Lets a lease that was just marked as held be a part of another.
  mutating func register(_ part: Lease, of whole: Lease, on lock: Lock) {
    let parts = if case .whole(let known) = whole.kind { known } else { Lease.Parts(fence: whole.fence) }
    precondition(parts.fence <= part.fence, "a part is as old as its lease, or was added later")
    parts.leases.append(part)
    whole.kind = .whole(parts)
    part.kind = .part(of: whole)
    part.standing.state = whole.state
    register(part, on: lock)
  }

  // MARK: Finding

  subscript(id: LeaseID) -> Lease? { byID[id] }

  func has(_ id: LeaseID) -> Bool { byID.has(id) }

  func retry(_ scope: IdempotencyScope) -> Retry? { retries[scope] }

  /// All that a caller's Idempotency-Key was used for, whatever the lock; a look at all retries.
  func retries(of key: CallersKey) -> (leases: [Lease], waiters: [WaiterID]) {
    var (leases, waiters): ([Lease], [WaiterID]) = ([], [])
    for (scope, retry) in retries where scope.key == key {
      switch retry {
      case .lease(let lease): leases.append(lease)
      case .waiter(let waiter): waiters.append(waiter)
      }
    }
    return (leases.sorted { $0.fence < $1.fence }, waiters.sorted())
  }

  /// Lets a waiter's Idempotency-Key lead to its place.
  mutating func noteRetry(_ request: AcquireRequest, _ waiter: WaiterID) {
    if let scope = IdempotencyScope(request) { retries[scope] = .waiter(waiter) }
  }

  /// Frees the Idempotency-Key of a waiter that left, unless its lease or another waiter has it by now.
  mutating func forgetRetry(_ request: AcquireRequest, _ waiter: WaiterID) {
    guard let scope = IdempotencyScope(request), case .waiter(waiter)? = retries[scope] else { return }
    retries[scope] = nil
  }

  /// Lets no retry find a lease any more.
  mutating func forgetRetry(of lease: Lease) {
    guard let scope = IdempotencyScope(lease), case .lease(let known)? = retries[scope], known === lease else { return }
    retries[scope] = nil
  }

  // MARK: Deadlines

  /// Takes a lease that is due out of the deadlines.
  mutating func popDue(at now: Int64) -> Lease? { deadlines.popDue(at: now) }

  /// Says when a lease is looked at next, in nanoseconds; 0 for never.
  mutating func schedule(_ lease: Lease, due: Int64) {
    lease.due = due
    if due == 0 {
      deadlines.remove(lease)
    } else if lease.queuePosition < 0 {
      deadlines.insert(lease)
    } else {
      deadlines.moved(lease)
    }
  }

  // MARK: Bindings

  func bound(to connection: ConnectionID) -> [Lease] { byConnection[connection] ?? [] }

  /// The leases that are bound to a process, in the order of their grants.
  func bound(to process: any BoundProcess) -> [Lease] {
    (byProcess[ObjectIdentifier(process)] ?? [:]).sorted { $0.key < $1.key }.map(\.value)
  }

  /// Binds a lease to a connection, in place of the one it was bound to.
  mutating func bind(_ lease: Lease, to connection: ConnectionID) {
    unbindConnection(lease)
    lease.connection = connection
    byConnection[connection, default: []].append(lease)
    schedule(lease, due: lease.deadline)
  }

  /// Binds a lease to a process, in place of the one it was bound to; its record says so from the grant on.
  mutating func bind(_ lease: Lease, to process: ProcessBinding) {
    unbindProcess(lease)
    let bond = lease.bond ?? ProcessBond(process)
    bond.process = process.process
    bond.cpuTime = bond.cpuTime ?? process.cpuTime
    lease.bond = bond
    byProcess[ObjectIdentifier(process.process), default: [:]][lease.fence] = lease
    // It may have ended when nothing was bound to it yet: the clock finds the lease due.
    schedule(lease, due: process.process.hasEnded ? 1 : bond.stop?.due(of: lease) ?? lease.deadline)
  }

  @inline(__always)
  private mutating func unbind(_ lease: Lease) {
    if lease.connection != 0 { unbindConnection(lease) }
    if lease.bond != nil { unbindProcess(lease) }
  }

  private mutating func unbindConnection(_ lease: Lease) {
    guard lease.connection != 0 else { return }
    byConnection[lease.connection]?.removeAll { $0 === lease }
    if byConnection[lease.connection]?.isEmpty == true { byConnection[lease.connection] = nil }
    lease.connection = 0
  }

  private mutating func unbindProcess(_ lease: Lease) {
    guard let bond = lease.bond, let process = bond.process else { return }
    bond.process = nil
    let id = ObjectIdentifier(process)
    byProcess[id]?[lease.fence] = nil
    if byProcess[id]?.isEmpty == true { byProcess[id] = nil }
  }

  // MARK: Ends

  /// Remembers an end; answers the record of the one that has to go for it.
  mutating func remember(_ end: consuming Tombstone) -> Int? {
    let forgotten = ends.isFull ? forgetOldestEnd() : nil
    ends.append(end)
    return forgotten
  }

  /// Forgets the oldest end, if it is from before a time in nanoseconds; answers its record.
  mutating func forgetOldestEnd(before instant: Int64 = .max) -> Int? {
    guard let oldest = ends.oldest, oldest.endedAt < instant else { return nil }
    if let lease = oldest.lease { forgetRetry(of: lease) }
    return ends.popOldest()?.cell
  }
}

extension Lease {
  /// Where a lease stands, and how: the table's own.
  struct Standing {
    /// The lock; none before its grant, and once it ended.
    fileprivate(set) var lock: Lock?
    /// Its place among the lock's holders; -1 for none.
    fileprivate(set) var index = -1
    fileprivate(set) var state: State

    init(_ state: State) { self.state = state }
  }
}

extension Lock {
  /// The leases on a lock: the table's own.
  struct Standing {
    fileprivate(set) var holders: [Lease] = []
    /// Units out on leases, cooling ones included.
    fileprivate(set) var unitsOut = 0
    /// The number of holders that are over for those who had them, and cool down.
    fileprivate(set) var coolingCount = 0
    /// The last fence that was granted; `nil` for none since the lock was made or found.
    fileprivate(set) var lastFence: Int64?
  }
}
