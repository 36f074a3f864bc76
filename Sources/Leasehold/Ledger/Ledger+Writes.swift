// Whether somebody wrote values under leases (SETVAL, SETALL), as that makes the kernel forget what it would take back
// at the end of a process: a lease is such a SEM_UNDO with a clock, and is forgotten alike.
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
// the last look. This service looks before each operation of its own, which would hide that. A write is taken for one
// also when an operation of another program, and a new mode that is the old one, fall between two looks: the kernel
// tells no difference.

extension SetTrace {
  /// Whether values may have been written since: the time moved, and no new owner or mode is the reason.
  func isWritten(since before: SetTrace?) -> Bool {
    guard let before else { return false }
    return changed != before.changed && hasOwnership(of: before)
  }
}

extension NativeSet {
  /// How it looks now; `nil` when nothing stands on it that a write could touch.
  func newTrace(_ kernel: any SemaphoreKernel) -> SetTrace? { trace == nil ? nil : kernel.trace(id.set) }
}

extension Ledger {
  /// Notes when a set was last written, for a lease that stands on it from now on.
  func markWrites(_ lease: Lease, on set: NativeSet, of lock: Lock) {
    let trace = kernel.trace(set.id.set)
    lease.setChanged = trace?.changed ?? 0
    set.trace = set.trace ?? trace
    // The last daemon changed its semaphores, or somebody after it.
    if state != .ready { see(lease.semaphores(of: lock), of: set) }
  }

  private func see(_ semaphores: some Sequence<Int>, of set: NativeSet) {
    for number in semaphores {
      set.seen[number] = SeenSemaphore(
        process: kernel.lastProcess(set.id.set, number), value: kernel.value(set.id.set, number) ?? 0)
    }
  }

  /// This service itself wrote values: what stands on the set by now is not touched by that.
  ///
  /// - Parameter numbers: The semaphores whose values were written; `nil` for all. What was written to a lock is its
  ///   limit from now on, whatever was known before.
  public func wroteValues(of id: Int32, _ numbers: Range<Int>?) {
    guard let set = nativeSets[id] else { return }
    for lock in Array(set.locks.values) where numbers?.contains(lock.dialect.semaphore) ?? true {
      lock.capacity = nil
      if lock.isIdle { forgetLock(lock) }
    }
    wroteStatus(of: id)
  }

  /// This service itself wrote owner or mode.
  public func wroteStatus(of id: Int32) {
    guard let set = nativeSets[id], set.trace != nil, let trace = kernel.trace(id) else { return }
    forgive(set, trace)
  }

  private func forgive(_ set: NativeSet, _ trace: SetTrace) {
    for lock in set.locks.values { for lease in lock.holders { lease.setChanged = trace.changed } }
    remember(trace, of: set)
  }

  /// What the next look compares with.
  private func remember(_ trace: SetTrace, of set: NativeSet) {
    set.trace = trace
    set.isUndecided = false
    for lock in set.locks.values where lock.isJudgedByWrites && !lock.holders.isEmpty {
      lock.tookWaiting = false
      see(Set(lock.holders.flatMap { $0.semaphores(of: lock) }), of: set)
    }
  }

  /// Ends leases whose semaphores somebody wrote.
  func lookForWrites(to set: NativeSet, _ values: [UInt16], _ trace: SetTrace?, at moment: Moment) {
    guard let before = set.trace, let trace else { return }
    guard trace.changed != before.changed else { return remember(trace, of: set) }
    // Owner or mode are new: that moves the time, too, and is the likelier reason.
    guard trace.hasOwnership(of: before) else { return forgive(set, trace) }
    if mayHideAWait(trace, on: set), !set.isUndecided {
      // A thread of ours may have got what a write set free, and tells it in a moment.
      set.isUndecided = true
      return
    }
    for lock in Array(set.locks.values) where lock.isJudgedByWrites {
      let leases = lock.holders.filter {
        $0.state != .suspect && $0.setChanged < trace.changed && isWritten($0, of: lock, set)
      }
      guard !leases.isEmpty else { continue }
      let units = leases.reduce(0) { $0 + $1.units }
      report(
        .rewritten, lock, units: units,
        "Values of the set were written: \(leases.count) leases are broken, and nothing is given back.", at: moment)
      let uncount = lock.dialect.uncount(Share(.exclusive, units: units))
      _ = giveBack(uncount, to: set.id.set, of: lock)
      breakUncovered(leases, at: moment)
      forgetLimitIfAlone(lock)
      if !lock.queue.isEmpty { unserved.append(lock) }
    }
    remember(trace, of: set)
  }

  /// Whether a thread that sleeps for us may have changed a semaphore after the write of which the time tells.
  private func mayHideAWait(_ trace: SetTrace, on set: NativeSet) -> Bool {
    trace.operated >= trace.changed
      && set.locks.values.contains { !$0.waits.isEmpty && !$0.holders.isEmpty && !$0.tookWaiting }
  }

  /// Whether it is a lease's own semaphore that was written.
  private func isWritten(_ lease: Lease, of lock: Lock, _ set: NativeSet) -> Bool {
    lease.semaphores(of: lock).contains { number in
      let process = kernel.lastProcess(set.id.set, number)
      if process == kernel.process { return lock.tookWaiting }
      guard let seen = set.seen[number] else { return true }
      return seen != SeenSemaphore(process: process, value: kernel.value(set.id.set, number) ?? 0)
    }
  }
}

extension Lock {
  /// Whether a write of its semaphore ends its leases: Apache's are counted in it, and only the count is looked at.
  var isJudgedByWrites: Bool {
    if case .apache = layout { false } else { native != nil }
  }
}
