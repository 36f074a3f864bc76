// A request that is the newest of its group ends those of the group that wait before it, and asks those that hold to
// yield.
//
// A group is a word that its members agree on, within a lock. So at most one of a group waits. All of it is in memory
// alone, as queues are: after a restart waiters ask again, and the last that comes is the newest.

extension Ledger {
  /// Lets a request that began to wait be the only one of its group that does.
  @inline(never)
  func overtake(_ newest: Waiter, in group: String, at moment: Moment) {
    var older: [Waiter] = []
    for lock in newest.seats.compactMap(\.lock) {
      for holder in lock.holders { askToYield(holder.whole, group, at: moment) }
      lock.queue.forEach { waiter in
        if waiter.lead !== newest, (waiter.lead.request.remarks?.newest).isExactly(group) { older.append(waiter.lead) }
        return true
      }
    }
    for waiter in older where queues.has(waiter) {
      // A retry that comes late is not newer than what ended it.
      if let key = waiter.request.idempotencyKey { leaseTable.cancel(CallersKey(key, of: waiter.caller)) }
      letGo(waiter, telling: Self.overtaken(waiter.request.key, group), at: moment)
    }
  }

  private func askToYield(_ lease: Lease, _ group: String, at moment: Moment) {
    guard lease.isHeld, let remarks = lease.remarks, remarks.newest.isExactly(group), !remarks.isAskedToYield else {
      return
    }
    lease.remarks = HolderRemarks(note: remarks.note, newest: group, isAskedToYield: true)
    observers.askedToYield(lease, group, at: moment.monotonic.nanoseconds)
  }

  private static func overtaken(_ key: LockKey, _ group: String) -> LeaseholdError {
    LeaseholdError(
      .superseded,
      "A newer request of the group '\(group)' waits for lock '\(key)', and this one asked to end then (newest).",
      facts: [("key", .text(key.text)), ("newest", .text(group))])
  }
}
