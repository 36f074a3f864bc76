// The grace: time in which holders can renew what ran out, or lost its connection, while no daemon served.
//
// It is given once. Its end goes into the record, beside the deadline, in one store; the next daemons find it there and
// give no other, however often they restart. A renewal, or a new binding, clears it: that holder is there, and earns
// another one.

extension Ledger {
  /// Says when a lease that was found is looked at next, and gives it the grace if it needs one and had none.
  ///
  /// What the check of the record does not cover is not believed: a deadline that no daemon could have written is
  /// replaced by one that is as late as the lease's own ttl allows, so that no holder loses what it was promised.
  func giveGrace(_ lease: Lease, at moment: Moment) {
    guard lease.state != .suspect else {
      (lease.record.deadline, lease.due) = (0, 0)
      return
    }
    let now = moment.monotonic.nanoseconds
    let isEndless = lease.isHeld && (lease.isBound || lease.isEndless) && lease.deadline == 0
    if !isEndless, !(1...now + Limits.deadlineAhead.nanoseconds).contains(lease.deadline) {
      let span = lease.isHeld ? max(lease.ttl, limits.recoveryGrace) : max(lease.cooldown, lease.atLeast)
      lease.record.deadline = (moment.monotonic + span).nanoseconds
      journal.setDeadline(of: lease)
      observers.recovery.damagedRecords += 1
    }
    lease.due = lease.deadline
    // An operator's end stays the end, and a cooldown needs no renewal.
    guard lease.isHeld else { return }
    let given = (1...now + Self.longestGrace).contains(lease.graceEnd)
    let graceEnd = given ? lease.graceEnd : now + limits.recoveryGrace.nanoseconds
    if lease.breaking != nil, lease.deadline > 0 {
      if lease.isBound { lease.due = min(lease.deadline, graceEnd) }
      return
    }
    let isShort = !isEndless && lease.deadline < graceEnd
    guard isShort || lease.isBound else { return }
    if isShort { lease.record.deadline = graceEnd }
    lease.due = lease.isBound ? graceEnd : lease.deadline
    lease.graceEnd = graceEnd
    if !given { journal.setEnd(graceEnd, of: lease.cell) }
  }

  /// The holder is there: the next restart gives a grace again.
  @inline(__always)
  func forgetGrace(of lease: Lease) {
    guard lease.graceEnd != 0 else { return }
    lease.graceEnd = 0
    journal.setEnd(0, of: lease.cell)
  }

  /// The longest grace, by the range of its setting: 10 min, in nanoseconds.
  private static let longestGrace: Int64 = 600_000_000_000
}
