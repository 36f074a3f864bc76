// Another limit for a counting lock, while leases stand on it. Nobody is put out: what is in use beyond the limit is
// owed, and goes to nobody when it comes back.

extension Ledger {
  /// Gives a counting lock another limit, in use or not; makes it where there is none.
  ///
  /// - Throws: As ``LockService/resize(_:for:at:)``.
  public func resize(
    _ request: ResizeRequest, for caller: Caller, at moment: Moment
  ) throws(LeaseholdError) -> OpenedLock {
    guard state == .ready else { throw Self.notServing(state) }
    let known = lockTable[request.key]
    var lock = known
    if known?.kind.limit == nil {
      var want = Want(LockName(request.key))
      want.limit = max(1, request.limit)
      lock = try findOrMakeLock(AcquireRequest(want, ttl: .zero, caller: caller), at: moment)
    }
    guard let lock else { throw .noSuchLock(request.key) }
    guard !lock.isDamaged else { throw Self.damaged(lock) }
    let slots = try slots(for: request, of: lock)
    if try setTerms(limit: request.limit, isPinned: request.isPinned, slots, of: lock, at: moment) {
      findSlotsAnew(on: lock)
      observers.resized(lock, by: caller, at: moment.monotonic.nanoseconds)
      refuseTooMany(on: lock)
      serve(lock, at: moment)
    }
    lock.lastUse = moment.monotonic.nanoseconds
    return OpenedLock(
      lock: withKernelView(snapshot(lock, holders: 0, waiters: 0)), wasMade: known == nil, limitApplied: true)
  }

  /// Sets the limit of an own counting lock, and the names of its slots: in its record, then in the kernel; false where
  /// it has them already.
  ///
  /// - Throws: `ledger-full`, `kernel-limit`, `permission-denied`, `set-removed`; then it is as it was.
  func setTerms(
    limit: Int, isPinned: Bool, _ slots: SlotTable, of lock: Lock, at moment: Moment
  ) throws(LeaseholdError) -> Bool {
    let (oldLimit, wasPinned, old) = (lock.capacity ?? 0, lock.isPinned, lock.terms)
    if (limit, isPinned) == (oldLimit, wasPinned), slots == old?.slots ?? SlotTable() { return false }
    let terms: Terms
    if let old, old.slots == slots {
      terms = old
      journal.setTerms(limit: limit, isPinned: isPinned, at: old.cell)
    } else {
      terms = try journal.draftTerms(limit: limit, isPinned: isPinned, slots, of: lock) {
        leaseTable.forgetOldestEnd()
      }
      (terms.surplus, terms.withheld) = (old?.surplus ?? 0, old?.withheld ?? 0)
      lock.terms = terms
    }
    let (growth, surplus) = (max(0, limit - lock.made), max(0, lock.made - limit))
    let lettingGo = max(0, terms.withheld - surplus)
    if growth > 0 || lettingGo > 0 {
      let outcome = lockTable.raise(lock, making: growth, lettingGo: lettingGo)
      guard outcome == .done else {
        if outcome == .removed {
          setVanished(lock, at: moment)
          throw Self.setRemoved(lock.key, at: moment)
        }
        if let old, old === terms {
          journal.setTerms(limit: oldLimit, isPinned: wasPinned, at: old.cell)
        } else {
          journal.free(terms)
          lock.terms = old
        }
        if outcome.mayPass { throw Self.refused(outcome) }
        damage(lock, .uncounted, units: 0, "The set's values do not cover what was withheld of it", at: moment)
        throw Self.damaged(lock)
      }
      terms.withheld -= lettingGo
    }
    if growth > 0 { journal.setMade(limit, of: lock.cell) }
    if let old, old !== terms { journal.free(old) }
    (lock.capacity, terms.surplus, terms.record.isPinned) = (limit, surplus, isPinned)
    collect(lock)
    observers.bumpVersion(of: lock)
    return true
  }

  /// Withholds what is owed, as far as it is free; true when nothing is owed any more.
  ///
  /// Native programs may take it in between, and give back theirs at any time.
  @discardableResult
  func collect(_ lock: Lock) -> Bool {
    guard let terms = lock.terms else { return true }
    for _ in 0..<16 where terms.owed > 0 {
      let units = min(terms.owed, lockTable.value(of: lock) ?? 0)
      guard units > 0 else { break }
      if lockTable.withhold(units, of: lock) == .done { terms.withheld += units }
    }
    return terms.owed == 0
  }

  /// Sends waiters away that want more than the lock has from now on.
  private func refuseTooMany(on lock: Lock) {
    guard !lock.isPaused, let limit = lock.capacity else { return }
    let refused = lock.queue.filter { $0.share.units > limit }.map { ($0.lead, $0.share.units) }
    for (waiter, units) in refused where queues.has(waiter) { dismiss(waiter, .countExceeds(units, limit)) }
  }

  /// A lock like one whose set is gone, on another set.
  func remake(_ old: Lock, at moment: Moment) throws(LeaseholdError) -> Lock {
    guard let terms = old.terms, let limit = old.capacity else {
      return try makeLock(old.key, kind: old.kind, at: moment)
    }
    let lock = try makeLock(old.key, kind: .counting(limit: max(1, limit)), at: moment)
    _ = try setTerms(limit: limit, isPinned: old.isPinned, terms.slots, of: lock, at: moment)
    return lock
  }

  // MARK: After a crash

  /// Lets the terms of a lock that was found count, and goes on where the last daemon raised its limit.
  ///
  /// - Parameter live: How many units the set says that it has.
  func adopt(_ found: (cell: Int, record: TermsRecord), _ slots: SlotTable, of lock: Lock, live: Int) {
    let (limit, made) = (found.record.limit, lock.made)
    var force = limit
    if limit > made {
      if live == made, lockTable.raise(lock, making: limit - made, lettingGo: 0) != .done {
        force = made
        journal.setTerms(limit: made, isPinned: found.record.isPinned, at: found.cell)
      } else if live == made || live == limit {
        journal.setMade(limit, of: lock.cell)
      }
    }
    let terms = Terms(cell: found.cell, found.record, slots)
    terms.surplus = max(0, made - force)
    (lock.terms, lock.capacity) = (terms, force)
  }

  /// The units that a set counts as out and that are withheld, besides those of leases.
  func withheld(of lock: Lock, out: Int) -> Int {
    guard let terms = lock.terms else { return 0 }
    terms.withheld = max(0, min(terms.surplus, out - lock.unitsOut))
    return terms.withheld
  }
}
