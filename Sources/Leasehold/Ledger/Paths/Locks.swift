extension Ledger {
  /// The lock a request means: the live one when it fits, a new one when there is none or an idle one does not fit.
  func findOrMakeLock(_ request: AcquireRequest, at moment: Moment) throws(LeaseholdError) -> Lock {
    if let native = request.native { return try bindLock(request, native, at: moment) }
    if let lock = lockTable[request.key] {
      if lock.kind == request.kind || lock.overrules(request) {
        if lock.terms != nil || request.want.slots != nil {
          try checkTerms(request, of: lock, at: moment)
        } else {
          try Self.checkCount(request)
        }
        return lock
      }
      guard !lock.isPinned, lock.isIdle, retire(lock) else { throw Self.mismatch(lock, request) }
    }
    if let slots = request.want.slots, slots.all.isEmpty { throw Self.noSlots(request.key) }
    try Self.checkCount(request)
    if let hidden = request.key.hiddenCharacter { throw Self.hidden(hidden.scalar, at: hidden.offset) }
    let claim = try request.caller.account?.claim(.locks)
    let lock = try makeLock(request.key, kind: request.kind, at: moment)
    lock.claim = claim
    if request.want.slots != nil { try checkTerms(request, of: lock, at: moment) }
    return lock
  }

  /// Makes a lock; a set that turns out to be gone is replaced by another, and a place that is not clean, too.
  func makeLock(_ key: LockKey, kind: LockKind, at moment: Moment) throws(LeaseholdError) -> Lock {
    let sets = observers.counters.setsRemoved
    var uncleanPlaces = 0
    while observers.counters.setsRemoved < sets + 3, uncleanPlaces < NamedDialect.locksPerBank {
      let removed = observers.counters.setsRemoved
      if let lock = try tryToMakeLock(key, kind: kind, at: moment) { return lock }
      if observers.counters.setsRemoved == removed { uncleanPlaces += 1 }
    }
    guard uncleanPlaces == 0 else { throw Self.kernelRefused(KernelFailure(.outOfRange), doing: "take the lock") }
    throw Self.setKeepsVanishing(key, at: moment)
  }

  /// Marks a record as preparing, puts its semaphores into use, marks it as live; `nil` when the set is gone, or the
  /// place is not clean and not used again.
  private func tryToMakeLock(_ key: LockKey, kind: LockKind, at moment: Moment) throws(LeaseholdError) -> Lock? {
    let bank: Bank
    do {
      bank = try lockTable.bankForNewLock()
    } catch {
      throw Self.kernelRefused(error, doing: "make a semaphore set")
    }
    let place = bank.takePlace()
    let lock: Lock
    let capacity = kind.limit ?? Limits.readerUnits
    do {
      let own = Place.own(bank, place: UInt8(place), isCounting: kind != .readersWriter)
      lock = try journal.draftLock(key, own, capacity, .preparing, at: moment) { leaseTable.forgetOldestEnd() }
    } catch {
      bank.freePlace(place)
      throw error
    }
    let outcome = lockTable.openPlace(place, of: bank, capacity: capacity)
    guard outcome == .done else {
      journal.free(lock: lock.cell, text: lock.textCell)
      switch outcome {
      case .removed:
        bank.freePlace(place)
        setVanished(bank.id.set, at: moment)
      case .failed(let failure) where failure.errno != .outOfRange:
        bank.freePlace(place)
        throw Self.kernelRefused(failure, doing: "take the lock")
      // Another program wrote into the place: another one will do.
      case .done, .wouldBlock, .failed: break
      }
      return nil
    }
    journal.mark(lock: lock.cell, .live)
    lockTable.register(lock)
    return lock
  }

  /// Takes an idle lock's semaphores out of use and frees its record.
  ///
  /// False when native processes hold units of it.
  func retire(_ lock: Lock) -> Bool {
    guard lock.isIdle else { return false }
    // Native sets stay as they are: only what the ledger knows of them goes.
    guard let bank = lock.place.bank else {
      forget(lock)
      return true
    }
    journal.mark(lock: lock.cell, .retiring)
    collect(lock)
    let withheld = lock.terms?.withheld ?? 0
    switch lockTable.closePlace(lock.place.semaphore, of: bank, capacity: lock.made, withheld: withheld) {
    case .done, .removed:
      forget(lock)
      lockTable.dropIfEmpty(bank)
      return true
    case .wouldBlock, .failed:
      journal.mark(lock: lock.cell, .live)
      return false
    }
  }

  /// Removes a lock; `force` ends its leases and refuses its waiters first.
  ///
  /// - Throws: As ``LockService/remove(_:force:within:at:)``.
  public func remove(
    _ key: LockKey, _ native: NativeRequest? = nil, force: Bool, within confinement: Confinement? = nil,
    at moment: Moment
  ) throws(LeaseholdError) {
    if let native { return try removeNative(key, native, force: force, within: confinement, at: moment) }
    guard let lock = lockTable[key] else { throw .noSuchLock(key) }
    // The values of a damaged lock do not tell which native programs hold it.
    if lock.isDamaged, !force { throw Self.damaged(lock) }
    if !lock.isIdle {
      guard force else { throw inUse(lock, at: moment.monotonic) }
      try check(confinement, holdersOf: [lock])
      while let waiter = lock.queue.first {
        dismiss(waiter, Self.lockRemoved(key, at: moment))
      }
      followHead(lock)
      for lease in lock.holders where lease.lock === lock { end(lease, .lockRemoved, at: moment) }
      serveUnserved(at: moment)
      // The set may turn out to be gone, and the lock with it.
      guard lockTable[key] === lock else { return }
    }
    if lock.isDamaged { return mend(lock, at: moment) }
    guard retire(lock) else { throw inUse(lock, at: moment.monotonic) }
  }

  /// Frees a lock's record and its place.
  func forget(_ lock: Lock) {
    observers.bumpVersion(of: lock)
    journal.free(lock: lock.cell, text: lock.textCell)
    if let terms = lock.terms { journal.free(terms) }
    lockTable.forget(lock)
  }
}
