import SysVTypes

// Writes of values under leases (SETVAL, SETALL). They make the kernel forget what it would take back at the end of a
// process: a lease is such a SEM_UNDO with a clock, and is forgotten alike.
//
// What the kernel tells:
//
//              sem_ctime   sem_otime   process of the semaphore
//   SETVAL     moves       stays       the writer
//   SETALL     moves       stays       the writer, of all of them
//   IPC_SET    moves       stays       stays
//   semop      stays       moves       who did it
//
// So a time that moved is a write of a semaphore only if another process than this service's has changed that one since
// the last look. This service looks before each operation of its own, which would hide that.
//
// Where the time of operations did not move, that process wrote. Where it did, an IPC_SET and an operation may have
// come together, and the kernel tells no difference; so the values decide what they mean:
//
//   - no operation of natives can have led there: all that is free or natives' is less than the value, or nothing is.
//     Then it was a write. On a lock that leases have as a whole that is always so.
//   - else nothing is free that leases had, whatever wrote, and the leases stand: they and what is free are no more
//     than the lock ever had

extension Ledger {
  /// The traces of a set as it is now; `nil` when nothing stands on it that a write could touch.
  func newTrace(of set: NativeSet) -> SetTrace? { set.trace == nil ? nil : lockTable.trace(set.id.set) }

  /// Notes when a set was last written, for a lease that stands on it from now on.
  func markWrites(_ lease: Lease, on set: NativeSet, of lock: Lock) {
    let trace = lockTable.trace(set.id.set)
    lease.setChanged = trace?.changed ?? 0
    if let trace {
      // What this service did itself is no operation that a look must explain.
      set.trace?.operated = trace.operated
      set.trace?.read = trace.read
      set.trace = set.trace ?? trace
    }
    if lock.isJudgedByWrites {
      for number in Set(lease.semaphores(of: lock)) where lease.isAlone(on: number, of: set) {
        set.settle(number, at: lockTable.seen(number, of: set).value, isFirst: true)
      }
    }
    // The last daemon changed its semaphores, or another program after it.
    if state != .ready { see(lease.semaphores(of: lock), of: set) }
  }

  private func see(_ semaphores: some Sequence<Int>, of set: NativeSet) {
    for number in semaphores {
      let seen = lockTable.seen(number, of: set)
      set.seen[number] = seen
      set.settle(number, at: seen.value)
    }
  }

  /// Notes that this service itself wrote values, which touches nothing that stands on the set by now.
  ///
  /// - Parameter numbers: The semaphores whose values were written; `nil` for all. What was written to a lock is its
  ///   limit from now on, whatever was known before.
  public func wroteValues(of id: Int32, _ numbers: Range<Int>?) {
    guard let set = lockTable.natives[id] else { return }
    for lock in Array(set.locks.values) where numbers?.contains(lock.place.semaphore) ?? true {
      lock.capacity = nil
      if lock.isIdle { forget(lock) }
    }
    wroteStatus(of: id)
  }

  /// Notes that this service itself wrote owner or mode.
  public func wroteStatus(of id: Int32) {
    guard let set = lockTable.natives[id], set.trace != nil, let trace = lockTable.trace(id) else { return }
    set.settled = [:]
    for lock in set.locks.values { for lease in lock.holders { lease.setChanged = trace.changed } }
    remember(trace, of: set)
  }

  /// Keeps the traces that the next look compares with.
  private func remember(_ trace: SetTrace, of set: NativeSet) {
    set.trace = trace
    set.isUndecided = false
    for lock in set.locks.values where lock.isJudgedByWrites && !lock.holders.isEmpty {
      lock.tookWaiting = false
      see(Set(lock.holders.flatMap { $0.semaphores(of: lock) }), of: set)
    }
  }

  /// Ends leases whose semaphores another program wrote.
  func lookForWrites(to set: NativeSet, _ values: [UInt16], _ trace: SetTrace?, at moment: Moment) {
    guard let before = set.trace, let trace else { return }
    guard trace.changed != before.changed else { return remember(trace, of: set) }
    let isUnoperated = trace.isUnoperated(since: before)
    if mayHideAWait(trace, on: set), !set.isUndecided {
      // A thread of ours may have got what a write set free, and tells it in a moment.
      set.isUndecided = true
      return
    }
    for lock in Array(set.locks.values) where lock.isJudgedByWrites {
      let leases = lock.holders.filter {
        $0.state != .suspect && $0.setChanged < trace.changed
          && isWritten($0, of: lock, set, isUnoperated: isUnoperated)
      }
      guard !leases.isEmpty else { continue }
      let units = leases.reduce(0) { $0 + $1.units }
      observers.drifted(
        lock, .rewritten, units: units,
        "Values of the set were written: \(leases.count) leases are broken, and nothing is given back.", at: moment)
      lockTable.removeFromCount(Share(.exclusive, units: units), of: lock)
      breakUncovered(leases, at: moment)
      forgetLimitIfAlone(lock)
      queues.noteUnserved(lock)
    }
    remember(trace, of: set)
  }

  /// Returns true when a thread that sleeps for us may have changed a semaphore after the write that the time tells of.
  private func mayHideAWait(_ trace: SetTrace, on set: NativeSet) -> Bool {
    trace.operated >= trace.changed
      && set.locks.values.contains { !$0.waits.isEmpty && !$0.holders.isEmpty && !$0.tookWaiting }
  }

  /// Returns true when it is a lease's own semaphore that was written.
  private func isWritten(_ lease: Lease, of lock: Lock, _ set: NativeSet, isUnoperated: Bool) -> Bool {
    lease.semaphores(of: lock).contains { number in
      let now = lockTable.seen(number, of: set)
      if now.process == lockTable.process { return lock.tookWaiting }
      return set.seen[number] != now && (isUnoperated || !set.explains(now.value, of: number))
    }
  }
}

extension NativeSet {
  /// The number that the ends of all leases add to a semaphore.
  private func givenBack(to number: Int) -> Int {
    locks.values.reduce(0) { sum, lock in
      guard lock.place.isOperations else {
        return lock.isJudgedByWrites && lock.place.semaphore == number ? sum + lock.unitsOut : sum
      }
      return lock.holders.reduce(sum) { sum, lease in
        lease.adjustments.reduce(sum) { Int($1.semaphore) == number ? $0 + Int($1.delta) : $0 }
      }
    }
  }

  /// Notes what a semaphore comes to without leases, while it has a value.
  ///
  /// - Parameter isFirst: Whether no lease stood on it before.
  fileprivate func settle(_ number: Int, at value: Int, isFirst: Bool = false) {
    let whole = value + givenBack(to: number)
    let known = isFirst ? nil : settled[number]
    settled[number] = min(whole, known?.lowerBound ?? whole)...max(whole, known?.upperBound ?? whole)
  }

  /// Returns true when operations of native programs may have brought a semaphore to a value since the last look, and
  /// nothing that leases have is free.
  fileprivate func explains(_ value: Int, of number: Int) -> Bool {
    guard let settled = settled[number] else { return false }
    let back = givenBack(to: number)
    if back < 0 { return value + back >= settled.lowerBound }
    let natives = settled.upperBound - back
    return natives > 0 && value <= natives
  }
}

extension Lease {
  /// Returns true when no other lease gives something to a semaphore.
  fileprivate func isAlone(on number: Int, of set: NativeSet) -> Bool {
    !set.locks.values.contains { lock in
      lock.isJudgedByWrites && lock.holders.contains { $0 !== self && $0.semaphores(of: lock).contains(number) }
    }
  }
}

extension Lock {
  /// True when a write of its semaphore ends its leases: Apache's are counted in it, and only the count is looked at.
  var isJudgedByWrites: Bool {
    !place.isOwn && !place.isApache
  }
}
