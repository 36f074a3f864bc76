// A request that is the newest of its group ends those of the group that wait before it, and asks those that hold to
// yield.
//
// A group is a word that its members agree on, within a lock. So at most one of a group waits. All of it is in memory
// alone, as queues are: after a restart waiters ask again, and the last that comes is the newest.

extension Ledger {
  /// Lets a request that began to wait be the only one of its group that does.
  @inline(never)
  func overtake(_ newest: Waiter, in group: String, at moment: Moment) {
    let locks = newest.seats.compactMap(\.lock)
    for lock in locks { for holder in lock.holders { askToYield(holder.whole, group, at: moment) } }
    for waiter in waiters(of: group, on: locks) where waiter !== newest && queues.has(waiter) {
      // A retry that comes late is not newer than what ended it.
      if let scope = IdempotencyScope(waiter.request) { leaseTable.superseded.insert(scope) }
      letGo(waiter, telling: Self.overtaken(waiter.request), at: moment)
    }
  }

  /// The waiters that a request ends when it begins to wait for locks; none without a group.
  func older(than request: AcquireRequest, on locks: [Lock]) -> [Waiter] {
    guard let group = request.remarks?.newest else { return [] }
    return waiters(of: group, on: locks)
  }

  @inline(never)
  private func waiters(of group: String, on locks: [Lock]) -> [Waiter] {
    var found: [Waiter] = []
    for lock in locks {
      for lead in lock.queue.lazy.map(\.lead)
      where (lead.request.remarks?.newest).isExactly(group) && !found.contains(where: { $0 === lead }) {
        found.append(lead)
      }
    }
    return found
  }

  private func askToYield(_ lease: Lease, _ group: String, at moment: Moment) {
    guard lease.isHeld, let remarks = lease.remarks, remarks.newest.isExactly(group), !remarks.isAskedToYield else {
      return
    }
    lease.remarks = HolderRemarks(note: remarks.note, newest: group, isAskedToYield: true)
    observers.askedToYield(lease, group, at: moment.monotonic.nanoseconds)
  }

  /// The error of a request that a newer one of its group ended.
  static func overtaken(_ request: AcquireRequest) -> LeaseholdError {
    let group = request.remarks?.newest ?? ""
    return LeaseholdError(
      .superseded,
      "A newer request of the group '\(group)' came for lock '\(request.key)', and this one asked to end then.",
      facts: [("key", .text(request.key.text)), ("newest", .text(group))])
  }
}
