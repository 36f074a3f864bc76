extension Ledger {
  /// Sees to it that a thread waits in the kernel when, and only when, native processes hold what the head of the queue
  /// wants.
  ///
  /// To be called when the queue's head could not be served, or changed.
  func arrangeKernelWait(_ lock: Lock) {
    var wanted = 0
    if let head = lock.queue.first, !lock.isDamaged, lock.unitsOut + head.units <= lock.capacity { wanted = head.units }
    if wanted == lock.unitsWaited { return }
    stopKernelWait(lock)
    guard wanted > 0 else { return }
    counters.kernelWaits += 1
    if waiting.begin(lock.cell, set: lock.bank.id.set, semaphore: lock.dialect.semaphore, units: wanted) {
      lock.unitsWaited = wanted
    } else if !lock.isPolled {
      lock.isPolled = true
      polledLocks.append(lock)
    }
  }

  private func stopKernelWait(_ lock: Lock) {
    guard lock.unitsWaited > 0 else { return }
    waiting.cancel(lock.cell)
    lock.unitsWaited = 0
  }

  /// A thread got `units` of a semaphore, with SEM_UNDO, that it waited for on behalf of the lock in record `cell`.
  ///
  /// Whoever is head of the queue now gets them, in one semop; when nobody wants exactly those, they go back.
  public func kernelGranted(_ cell: Int, set: Int32, semaphore: Int, units: Int, at moment: Moment) {
    let dialect = NamedDialect(place: semaphore)
    guard let lock = lockAt(cell, set: set, semaphore: semaphore) else {
      _ = kernel.operate(set, dialect.dropWaited(units))
      return
    }
    // It may be an older wait that reports, canceled too late: the one that goes on must not be forgotten.
    stopKernelWait(lock)
    guard let head = lock.queue.first, head.units == units, state == .ready, !lock.isDamaged,
      lock.unitsOut + units <= lock.capacity, let prepared = try? prepare(head, on: lock, at: moment)
    else {
      _ = kernel.operate(set, dialect.dropWaited(units))
      return serve(lock, at: moment)
    }
    switch kernel.operate(set, dialect.keepWaited(units)) {
    case .done: grant(head, prepared, on: lock)
    case .removed:
      discard(prepared)
      return bankVanished(lock.bank, at: moment)
    case .wouldBlock, .failed:
      discard(prepared)
      _ = kernel.operate(set, dialect.dropWaited(units))
    }
    serve(lock, at: moment)
  }

  /// A thread's wait ended without a grant: canceled, or the set is gone.
  public func kernelWaitEnded(_ cell: Int, set: Int32, semaphore: Int, removed: Bool, at moment: Moment) {
    guard let lock = lockAt(cell, set: set, semaphore: semaphore) else { return }
    if removed { return bankVanished(lock.bank, at: moment) }
    stopKernelWait(lock)
    serve(lock, at: moment)
  }

  private func lockAt(_ cell: Int, set: Int32, semaphore: Int) -> Lock? {
    guard locksByCell.indices.contains(cell), let lock = locksByCell[cell], lock.bank.id.set == set,
      lock.dialect.semaphore == semaphore
    else { return nil }
    return lock
  }

  /// A set of ours is gone (somebody removed it): its leases are over, its waiters go on in a new set.
  func bankVanished(_ bank: Bank, at moment: Moment) {
    guard banks.removeValue(forKey: bank.id.set) != nil else { return }
    counters.setsRemoved += 1
    if bankWithRoom === bank { bankWithRoom = nil }
    var orphans: [Lock] = []
    for lock in bank.locks.compactMap(\.self) {
      stopKernelWait(lock)
      for lease in lock.holders { finish(lease, .setRemoved, at: moment.monotonic.nanoseconds) }
      forgetLock(lock)
      if !lock.queue.isEmpty { orphans.append(lock) }
    }
    for lock in orphans { moveWaiters(of: lock, at: moment) }
  }

  private func moveWaiters(of old: Lock, at moment: Moment) {
    let lock: Lock
    do {
      if let known = locksByKey[old.key] {
        lock = known
      } else {
        lock = try makeLock(old.key, kind: old.kind, at: moment)
      }
    } catch {
      while let waiter = old.queue.first { dismiss(waiter, error) }
      return
    }
    while let waiter = old.queue.first {
      old.queue.remove(waiter)
      waiter.lock = lock
      lock.queue.append(waiter)
    }
    serve(lock, at: moment)
  }
}
