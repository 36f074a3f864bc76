import SysVTypes

extension Ledger {
  /// One live lease; the error tells how one ended that is not live.
  ///
  /// - Throws: As ``LockService/lease(_:within:at:)``.
  public func lease(
    _ id: LeaseID, within confinement: Confinement? = nil, at moment: Moment? = nil
  ) throws(LeaseholdError) -> LeaseSnapshot {
    let lease = try find(id, key: nil, within: confinement)
    if let moment { noticeRemoval(below: lease, at: moment) }
    guard lease.isHeld else { throw Self.over(lease) }
    return snapshot(lease)
  }

  /// The live leases, in the order of their records.
  public func leases(_ filter: ListFilter) -> Page<LeaseSnapshot> {
    page(leaseTable.byCell, filter) { lease in
      guard !lease.isPart, lease.isHeld, filter.owner == nil || lease.owner.isExactly(filter.owner),
        filter.confinement?.covers(lease) ?? true,
        filter.keyPrefix.map({ prefix in lease.members.contains { $0.key.text.begins(with: prefix) } })
          ?? true
      else { return nil }
      return snapshot(lease)
    }
  }

  /// One lock with at most `listed` holders and as many waiters.
  ///
  /// - Throws: As ``LockService/lock(_:listed:)``.
  public func lock(
    _ key: LockKey, _ native: NativeRequest? = nil, listed: Int = LockSnapshot.listed
  ) throws(LeaseholdError) -> LockSnapshot {
    if let native { return try inspect(key, native, listed: listed) }
    guard let lock = lockTable[key] else { throw .noSuchLock(key) }
    return withKernelView(snapshot(lock, holders: listed, waiters: listed))
  }

  /// Adds the last process to change the semaphore and the number that sleep on it: two system calls.
  func withKernelView(_ lock: LockSnapshot) -> LockSnapshot {
    var lock = lock
    if let binding = lock.binding {
      lock.lastPID = lockTable.lastProcess(binding.id, binding.semaphore)
      lock.kernelWaiters = lockTable.waiters(binding.id, binding.semaphore)
    }
    return lock
  }

  /// The locks, in the order of their records, without what ``withKernelView(_:)`` adds.
  ///
  /// The kernel is asked once for each bank.
  public func locks(_ filter: ListFilter) -> Page<LockSnapshot> {
    var bank: (set: Int32, values: [UInt16])?
    return page(lockTable.byCell, filter) { lock in
      guard !lock.place.isOperations,
        filter.keyPrefix.map({ lock.key.text.begins(with: $0) }) ?? true,
        filter.confinement?.covers(lock.key.text) ?? true
      else { return nil }
      switch filter.state {
      case .held where lock.heldCount == 0 && operationLeases(on: lock).isEmpty: return nil
      case .cooling where lock.standing.coolingCount == 0: return nil
      case .damaged where !lock.isDamaged: return nil
      case .free where !lock.holders.isEmpty || !operationLeases(on: lock).isEmpty: return nil
      case .waited where lock.queue.isEmpty: return nil
      default: break
      }
      guard lock.place.isOwn else { return snapshot(lock, holders: 0, waiters: 0) }
      if bank?.set != lock.set.set { bank = lockTable.read(set: lock.set.set).known.map { (lock.set.set, $0) } }
      let semaphore = lock.place.semaphore
      let value = bank.flatMap { $0.values.indices.contains(semaphore) ? Int($0.values[semaphore]) : nil }
      return snapshot(lock, holders: 0, waiters: 0, value: .some(value))
    }
  }

  private func page<Entity: AnyObject, Entry>(
    _ table: CellTable<Entity>, _ filter: ListFilter, _ entry: (Entity) -> Entry?
  ) -> Page<Entry> {
    var page = Page<Entry>(entries: [], nextCursor: nil)
    var cell = filter.cursor
    let stop = min(table.count, filter.cursor + filter.records)
    while cell < stop, page.entries.count < filter.limit {
      if let entity = table[cell], let found = entry(entity) { page.entries.append(found) }
      cell += 1
    }
    page.nextCursor = cell < table.count ? cell : nil
    return page
  }

  /// The numbers of locks and leases that stand on one of our sets; `nil` for others'.
  public func bankUse(_ set: Int32) -> (locks: Int, leases: Int)? {
    guard let locks = lockTable.banks[set]?.present else { return nil }
    return (locks.count, locks.reduce(0) { $0 + $1.heldCount })
  }

  /// The state of the service.
  public func status() -> ServiceStatus {
    var status = ServiceStatus()
    status.state = state
    status.leases = leaseTable.count - leaseTable.coolingCount - leaseTable.suspectCount
    status.cooling = leaseTable.coolingCount
    status.kept = leaseTable.keptCount
    status.suspects = leaseTable.suspectCount
    status.damagedLocks = lockTable.damagedCount
    status.locks = lockTable.count
    status.waiters = queues.count
    status.counters = observers.counters
    var figures = LedgerStatus()
    figures.pumps = queues.waiting.count
    figures.records = journal.pool.used
    figures.recordCapacity = journal.pool.capacity
    figures.recordBytes = 128
    figures.banks = lockTable.banks.count
    figures.lastFence = journal.lastFence
    figures.recovery = observers.recovery
    status.ledger = figures
    return status
  }

  func snapshot(_ lease: Lease) -> LeaseSnapshot { snapshot(lease, counting: lease.count) }

  private func snapshot(_ lease: Lease, counting count: Int) -> LeaseSnapshot {
    // Its id, its holder and its deadline are those of the whole.
    let whole = lease.whole
    let snapshot = LeaseSnapshot(
      id: whole.id, key: lease.key, kind: lease.lock?.kind ?? .readersWriter, mode: lease.mode,
      count: count, units: lease.units, fence: max(lease.fence, whole.fence), owner: whole.owner,
      bindsConnection: whole.bindsConnection, ttl: whole.ttl, cooldown: whole.cooldown, grantedAt: whole.grantedAt,
      deadline: whole.shownDeadline, waited: whole.waited, limitApplied: lease.asked.limitApplied, peer: whole.peer,
      binding: lease.lock?.binding, adjusts: lease.semaphoresAdjusted, process: whole.bond?.recorded.name,
      breaking: whole.breaking, remarks: whole.remarks, atLeast: whole.atLeast, state: HolderState(whole.state),
      trace: whole.asked.trace, parts: lease.parts.isEmpty ? [] : lease.members.map(part), stamp: UInt64(lease.told),
      slots: lease.slots == 0 ? [] : lease.slotNames)
    if whole.bond?.stop != nil { note(stopOf: whole, in: snapshot) }
    return snapshot
  }

  /// The same, as every caller may see it.
  private func holder(_ lease: Lease, counting count: Int) -> Holder {
    let whole = lease.whole
    let holder = Holder(
      id: whole.id, mode: lease.mode, count: count, fence: max(lease.fence, whole.fence), owner: whole.owner,
      bindsConnection: whole.bindsConnection, ttl: whole.ttl, grantedAt: whole.grantedAt,
      deadline: whole.shownDeadline, peer: whole.peer, process: whole.bond?.recorded.name, breaking: whole.breaking,
      remarks: whole.remarks, atLeast: whole.atLeast, state: HolderState(whole.state),
      slots: lease.slots == 0 ? [] : lease.slotNames)
    if whole.bond?.stop != nil { note(stopOf: whole, in: holder) }
    return holder
  }

  private func part(_ lease: Lease) -> LeasePart {
    var part = LeasePart(
      key: lease.key, kind: lease.lock?.kind ?? .readersWriter, mode: lease.mode, count: lease.count,
      units: lease.units, limitApplied: lease.asked.limitApplied,
      binding: lease.lock?.binding, slots: lease.slotNames)
    part.fence = max(lease.fence, lease.whole.fence)
    return part
  }

  /// A lock as it is now.
  ///
  /// `value`: what the kernel has free of an own lock, where it was asked already.
  func snapshot(_ lock: Lock, holders: Int, waiters: Int, value: Int?? = nil) -> LockSnapshot {
    let queued = lock.queue.prefix(waiters).map { waiter in
      WaiterSnapshot(
        owner: waiter.request.owner, mode: waiter.request.mode, count: waiter.request.count, peer: waiter.caller.peer,
        since: waiter.since, until: MonotonicInstant(nanoseconds: waiter.lead.due),
        keys: waiter.group.map { $0.wants.map(\.key) } ?? [], isDetached: waiter.isDetached)
    }
    let units = value ?? lockTable.value(of: lock)
    let others = lock.place.isOwn ? [] : operationLeases(on: lock)
    let use = units.map { self.use($0, of: lock, beside: others) } ?? (native: nil, available: nil)
    let suspects = units == nil || lock.place.isOwn ? 0 : lock.holders.count { $0.state == .suspect }
    let first = lock.queue.first
    // All at once: one that is filled in later is copied on the way.
    return LockSnapshot(
      key: lock.key, kind: lock.kind, availableUnits: units, capacity: lock.capacity, heldUnits: lock.unitsOut,
      fence: lock.standing.lastFence,
      holders: self.holders(of: lock, max: holders, others, snapshot),
      holderCount: lock.heldCount + others.count, coolingCount: lock.standing.coolingCount,
      waiters: queued, waiterCount: lock.queue.count, binding: lock.binding, lastPID: nil, kernelWaiters: nil,
      nativeUnits: use.native, available: use.available,
      tag: LockTag(
        epoch: observers.ring.epoch, version: lock.seen.version, units: units, available: use.available),
      suspects: suspects, isDamaged: lock.isDamaged, terms: lock.terms.map { inForce($0, of: lock) },
      queuedFor: otherLocks(inTheWayOf: first), firstCame: first?.since)
  }

  /// The part of a lock's state that tells why it is not to be had, as it is now.
  func contention(at lock: Lock) -> Contention {
    // Where leases have every unit of an own lock there is none to ask the kernel for.
    let units = lock.place.isOwn && lock.unitsOut == lock.capacity ? 0 : lockTable.value(of: lock)
    let others = lock.place.isOwn ? [] : operationLeases(on: lock)
    let use = units.map { self.use($0, of: lock, beside: others) } ?? (native: nil, available: nil)
    let first =
      if let lease = lock.holders.first { holder(lease, counting: lease.count) } else {
        others.first.map { holder($0.lease, counting: $0.units) }
      }
    return Contention(
      key: lock.key, kind: lock.kind, available: use.available, nativeUnits: use.native,
      first: first,
      others: lock.holders.count + others.count > 1 ? holders(of: lock, max: 10, others, after: 1, holder) : [],
      coolingCount: lock.standing.coolingCount,
      waiterCount: lock.queue.count, queuedFor: lock.queue.isEmpty ? [] : otherLocks(inTheWayOf: lock.queue.first))
  }

  @inline(never)
  private func inForce(_ terms: Terms, of lock: Lock) -> LockTerms {
    LockTerms(
      isPinned: terms.record.isPinned, owed: terms.owed, slots: terms.slots.all,
      freeSlots: lock.isPaused ? [] : terms.slots.list(terms.slots.current & ~lock.heldSlots))
  }

  private func holders<Shown>(
    of lock: Lock, max holdersMax: Int, _ others: [(lease: Lease, units: Int)], after skipped: Int = 0,
    _ show: (Lease, Int) -> Shown
  ) -> [Shown] {
    let own = lock.holders.prefix(holdersMax).dropFirst(skipped).map { show($0, $0.count) }
    let count = min(holdersMax, lock.holders.count)
    return own + others.prefix(holdersMax - count).dropFirst(max(0, skipped - count)).map { show($0.lease, $0.units) }
  }

  /// The units that natives have and callers can have of a lock, of which the kernel has so many free.
  private func use(
    _ units: Int, of lock: Lock, beside others: [(lease: Lease, units: Int)]
  ) -> (native: Int?, available: Int?) {
    let out = others.reduce(lock.unitsOut) { $0 + $1.units }
    switch lock.place.layout {
    case .named(let isCounting):
      return (
        lock.capacity.map { max(0, $0 + lock.owed - units - lock.unitsOut) },
        isCounting ? max(0, units - lock.owed) : units == lock.capacity ? 1 : 0
      )
    case .php, .counter:
      return (
        lock.capacity.map { max(0, $0 - units - out) }, max(0, min(units, lock.roomWithinLimit))
      )
    case .apache:
      guard let writer = lock.place.dialect.companion, let writers = lockTable.value(writer, of: lock) else {
        return (nil, nil)
      }
      return (
        max(0, units + writers - lock.unitsOut * ApacheDialect.weight - (out - lock.unitsOut)),
        units == 0 && writers == 0 ? 1 : 0
      )
    case .operations: return (nil, nil)
    }
  }
}

extension Lease {
  /// Its end as callers see it; `nil` for none.
  fileprivate var shownDeadline: MonotonicInstant? {
    let end = end
    return end == 0 ? nil : MonotonicInstant(nanoseconds: end)
  }

  /// The names of its slots.
  fileprivate var slotNames: [String] { slots == 0 ? [] : lock?.slots?.list(slots) ?? [] }
}

extension HolderState {
  fileprivate init(_ state: Lease.State) {
    switch state {
    case .cooling(_, let isKept): self = isKept ? .kept : .cooling
    case .suspect: self = .suspect
    case .held, .ended: self = .held
    }
  }
}
