extension Ledger {
  /// Does what is due at `moment`, at most `budget` things, so that others get their turn in between.
  ///
  /// True when more is due.
  public func tick(at moment: Moment, budget: Int) -> Bool {
    let now = moment.monotonic.nanoseconds
    var left = budget
    while left > 0, let lease = leaseTable.popDue(at: now) {
      expire(lease, at: moment)
      left -= 1
    }
    while left > 0, let waiter = queues.popDue(at: now) {
      timeOut(waiter, at: moment)
      left -= 1
    }
    return left == 0
  }

  private func timeOut(_ waiter: Waiter, at moment: Moment) {
    guard let lock = waiter.lock else { return }
    guard waiter.client != nil else { return letGo(waiter, at: moment) }
    let wasFirst = lock.queue.first === waiter
    let inTheWay = lockInTheWay(of: waiter) ?? lock
    leave(waiter)
    observers.counters.timedOut += 1
    let error =
      waiter.request.wait > .zero
      ? waitTimedOut(inTheWay, after: waiter.request.wait, at: moment.monotonic)
      : locked(inTheWay, at: moment.monotonic)
    observers.left(waiter, "wait-timeout", telling: error, at: moment.monotonic.nanoseconds)
    moveUp(lock, wasFirst: wasFirst, at: moment)
  }

  /// Looks at the queues for which no thread was free to wait in the kernel.
  ///
  /// Call every few milliseconds while ``wantsPolling``.
  public func poll(at moment: Moment) {
    payDebts(at: moment)
    for lock in queues.takePolled() where !lock.queue.isEmpty { serve(lock, at: moment) }
  }

  /// Remembers the time, forgets old ends, collects idle locks, looks for sets that are gone; called once a second.
  public func housekeep(at moment: Moment) {
    guard !hasSurrendered else { return }
    let now = moment.monotonic.nanoseconds
    journal.lastSeen = now
    observers.tellNotes(at: now)
    while let forgotten = leaseTable.forgetOldestEnd(before: now - limits.tombstoneAge.nanoseconds) {
      journal.free(forgotten)
    }
    // What cannot be read is not gone for that: its mode may have been changed, or memory was short.
    for bank in lockTable.banks.values where lockTable.isGone(bank) { setVanished(bank.id.set, at: moment) }
    for set in lockTable.natives.values { inspect(at: set, at: moment) }
    lookForDriftInBanks(at: moment)
    for lock in lockTable.idleLocks(since: now - limits.idleLocks.nanoseconds) where !isLimitKnownHereAlone(lock) {
      _ = retire(lock)
    }
  }

  /// Returns true when the limit of a lock would be lost: an operator pinned it, or this service put it into force on a
  /// `path:` lock, and the set does not tell it.
  private func isLimitKnownHereAlone(_ lock: Lock) -> Bool {
    if lock.isPinned { return true }
    guard case .counter = lock.place.layout, lock.capacity != nil else { return false }
    return lockTable.value(of: lock) != nil
  }

  /// Stops granting: every waiter is sent away, leases stay.
  public func drain() {
    state = .draining
    let error = Self.notServing(.draining)
    for waiter in queues.all {
      let lock = waiter.lock
      dismiss(waiter, error)
      if let lock, lock.queue.isEmpty { followHead(lock) }
    }
    while let lock = queues.popUnserved() { if lock.queue.isEmpty { followHead(lock) } }
  }

  /// Changes nothing any more: another daemon has taken over the records and the semaphores.
  public func surrender() {
    drain()
    hasSurrendered = true
    lockTable.clear()
    leaseTable.clear()
  }
}
