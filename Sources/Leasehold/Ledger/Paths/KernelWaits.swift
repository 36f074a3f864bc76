import SysVTypes

extension Ledger {
  /// Threads that sleep for one `path:` lock at most, one for each waiter, so that native programs count them.
  private static let sleepersPerLock = 64

  /// Sees to it that threads wait in the kernel where native processes may hold what the queue wants.
  ///
  /// One thread waits for the head of the queue: of own locks when native programs hold units, of native ones always,
  /// because native programs look at who waits. To be called when the queue's head could not be served, or changed.
  func followHead(_ lock: Lock) {
    if lock.queue.isEmpty, lock.waits.isEmpty { return }
    // The lock is on the way to another set.
    guard lockTable.knows(lock) else { return }
    if let head = lock.queue.first, cannotSleep(for: head.share, on: lock) {
      _ = queues.sleep(on: lock, for: [])
      return queues.poll(lock)
    }
    var wanted: [Share] = []
    if !lock.isDamaged, let head = lock.queue.first, lock.hasRoom(for: head.share) {
      let sleepers = lock.waitsOneByOne ? Self.sleepersPerLock : 1
      // No thread sleeps for less than the waiters before it want: what it got could not be handed to the first.
      var unitsMax = 0
      for waiter in lock.queue.prefix(sleepers) {
        // Nothing is taken for a waiter that could not be told.
        if waiter.isDetached { break }
        if let group = waiter.group {
          // A waiter for several locks holds none while it waits: one thread looks at the lock that is in the way.
          if wanted.isEmpty, group.blockedOn === lock {
            wanted.append(Share(waiter.share.mode, units: waiter.share.units, for: .probe))
          }
          break
        }
        unitsMax = max(unitsMax, waiter.share.units)
        var share = waiter.share
        share.units = unitsMax
        wanted.append(share)
      }
    }
    observers.counters.kernelWaits += queues.sleep(on: lock, for: wanted)
  }

  /// Returns true when a thread that sleeps for a native lock would be woken for nothing: what it would get could not
  /// be counted, is owed, or is beyond the limit.
  private func cannotSleep(for share: Share, on lock: Lock) -> Bool {
    guard !lock.place.isOwn, share.purpose == .take else { return lock.owed > 0 && lock.hasRoom(for: share) }
    if lock.place.sharesCount, let counter = lock.counter(of: share.mode),
      let value = lockTable.value(counter.semaphore, of: lock), full(lock, for: share, counter, value: value) != nil
    {
      return true
    }
    return !lock.isWithinLimit(share.units)
      && (lockTable.value(of: lock) ?? 0) >= share.units
  }

  /// A thread got the share it waited for, with SEM_UNDO.
  ///
  /// The head of the queue gets it, in one semop; when no waiter wants exactly that, it goes back.
  public func kernelGranted(_ wait: KernelWait, at moment: Moment) {
    guard let lock = lockAt(wait) else {
      return lockTable.drop(wait, of: nil)
    }
    if let native = lock.place.native, native.hasLeases, wait.share.purpose != .probe {
      // What woke it may have been a write, and then those leases are over that stand on what was written.
      lock.tookWaiting = true
      notice(native, at: moment)
      guard lockTable.knows(lock) else { return }
    }
    queues.woke(wait.number, on: lock)
    if wait.share.purpose == .probe { return serve(lock, at: moment) }
    guard let head = lock.queue.first, head.group == nil, !head.isDetached, head.share == wait.share, state == .ready,
      !lock.isDamaged, lock.hasRoom(for: wait.share), lock.owed == 0,
      lock.place.isOwn || lock.isWithinLimit(wait.share.units)
    else {
      drop(wait, on: lock)
      return serve(lock, at: moment)
    }
    if let lease = head.converting {
      switch upgradeWaited(head, lease, on: lock) {
      case .done: break
      case .removed: return setVanished(lock, at: moment)
      case .wouldBlock, .failed: drop(wait, on: lock)
      }
    } else if !grantWaited(wait, to: head, on: lock, at: moment) {
      return setVanished(lock, at: moment)
    }
    serve(lock, at: moment)
  }

  /// Turns what a thread waited for into the lease of the head of the queue; else it goes back.
  ///
  /// False when the set is gone.
  private func grantWaited(_ wait: KernelWait, to head: Waiter, on lock: Lock, at moment: Moment) -> Bool {
    do throws(LeaseholdError) {
      let waited = moment.monotonic - head.since
      let draft = try prepare(head.request, lock: lock, share: head.share, waited: waited, at: moment)
      if let values = sharedCounts(of: lock) {
        mark(draft.marks([0]), taking: wait.share, of: lock, values, waited: true)
      }
      let isCounted = lock.place.countsLeasedUnits
      switch isCounted ? lockTable.takeWaited(wait.share, of: lock) : .taken(lockTable.claim()) {
      case .taken(let taken):
        switch hold(draft, taken, for: head.request, on: lock, lock.place.isPHP || lock.place.isPath ? false : nil) {
        case .granted(let lease): granted(lease, to: head)
        case .not(.removed, _): return false
        case .not: break
        }
      case .not(let outcome):
        journal.discard(draft)
        if outcome == .removed { return false }
        drop(wait, on: lock)
      }
    } catch {
      drop(wait, on: lock)
    }
    return true
  }

  /// Gives back what a thread waited for and no waiter wants.
  ///
  /// A write may have come since, and others after it: of a `php:` set no more goes back than the limit allows, and no
  /// handle that is not counted any more.
  private func drop(_ wait: KernelWait, on lock: Lock) {
    guard lock.place.isPHP, let values = sharedCounts(of: lock) else {
      return lockTable.drop(wait, of: lock)
    }
    let (units, state) = (wait.share.units, PHPDialect.State(values, leases: lock.unitsOut))
    let surplus = lock.capacity.map { min(units, max(0, state.value + units + lock.unitsOut - $0)) } ?? 0
    lockTable.drop(wait, of: lock, surplus: surplus, isCounted: state.handles > 0)
  }

  /// A thread's wait ended without a grant: canceled, or the set is gone.
  public func kernelWaitEnded(_ wait: KernelWait, removed: Bool, at moment: Moment) {
    guard let lock = lockAt(wait) else { return }
    if removed { return setVanished(lock, at: moment) }
    queues.woke(wait.number, on: lock)
    serve(lock, at: moment)
  }

  private func lockAt(_ wait: KernelWait) -> Lock? {
    guard let lock = lockTable[wait.lock], lock.set.set == wait.set,
      lock.place.semaphore == wait.semaphore
    else { return nil }
    return lock
  }

  /// Takes note that another program removed the set below a lock.
  func setVanished(_ lock: Lock, at moment: Moment) {
    if lockTable.knows(lock) { setVanished(lock.set.set, at: moment) }
  }

  /// Ends the leases on a set that is gone; its waiters go on in a new one, as a native program's own would, except
  /// those that named a semaphore that must exist.
  func setVanished(_ set: Int32, at moment: Moment) {
    guard let (id, isOwn, locks) = lockTable.forget(set: set) else { return }
    observers.removed(id, isOwn: isOwn, under: locks)
    let abandoned = locks.filter { abandon($0, at: moment) }
    // All of them before any is served: a request for several locks may wait for more than one.
    for lock in abandoned.compactMap({ moveWaiters(of: $0, at: moment) }) { serve(lock, at: moment) }
    serveUnserved(at: moment)
  }

  /// Ends the leases of a lock whose set is gone and forgets it; true when it still has waiters.
  func abandon(_ lock: Lock, at moment: Moment) -> Bool {
    _ = queues.sleep(on: lock, for: [])
    for lease in lock.holders where lease.lock === lock {
      let head = lease.whole
      if head.parts.isEmpty {
        finishMarked(lease, .setRemoved, at: moment.monotonic.nanoseconds).forfeit()
      } else {
        endAll(head, .setRemoved, at: moment)
      }
    }
    if lockTable.knows(lock) { forget(lock) }
    return !lock.queue.isEmpty
  }

  /// Moves the waiters of a lock that is gone to the one that takes its place; answers that.
  private func moveWaiters(of old: Lock, at moment: Moment) -> Lock? {
    var reached: Lock?
    while let waiter = old.queue.first {
      do throws(LeaseholdError) {
        let lock = try successor(of: old, for: waiter.request, at: moment)
        queues.move(waiter, to: lock)
        observers.bumpVersion(of: lock)
        reached = lock
      } catch {
        dismiss(waiter, error)
      }
    }
    return reached
  }

  private func successor(
    of old: Lock, for request: AcquireRequest, at moment: Moment
  ) throws(LeaseholdError) -> Lock {
    if old.place.isOwn {
      if let known = lockTable[old.key] { return known }
      return try remake(old, at: moment)
    }
    guard let native = request.native, native.makesSet else { throw Self.setRemoved(old.key, at: moment) }
    return try bindLock(request, native, at: moment)
  }
}
