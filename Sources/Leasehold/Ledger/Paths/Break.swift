// An operator ends a holder's lease.
//
// A grace shortens the deadline in the record, then marks the record: the time of its end, which is 0 in a lease that
// lives, becomes negative. So the next daemon knows that the lease cannot be renewed and gets no grace of recovery;
// only the reason is lost. A crash between the two stores leaves a shorter deadline, of which nobody was told.

extension Ledger {
  /// Ends a lease now, or has it end after a grace in which it cannot be renewed.
  ///
  /// - Throws: As ``LockService/breakLease(_:at:)``.
  public func breakLease(_ request: BreakRequest, at moment: Moment) throws(LeaseholdError) -> BreakOutcome {
    let lease = try find(request.lease, within: request.caller.confinement)
    noticeRemoval(below: lease, at: moment)
    guard lease.isHeld || lease.past?.isKept == true || lease.isUnfound else { throw Self.over(lease) }
    if let uid = request.onlyOf, lease.peer.uid != uid { throw Self.notYours(lease, uid) }
    var outcome = BreakOutcome(request, of: lease.key, ref: lease.id.ref, owner: lease.owner, at: moment.monotonic)
    guard lease.isHeld else {
      // Nobody is left to be told: what is kept is free at once.
      end(lease, .broken, at: moment)
      return outcome
    }
    if lease.breaking == nil || request.reason != nil {
      lease.breaking = BreakNote(reason: request.reason, by: request.caller.inWords)
    }
    let end = moment.monotonic + request.after
    (outcome.end, outcome.reason, outcome.by) = (end, lease.breaking?.reason, lease.breaking?.by)
    guard request.after > .zero else {
      tellOfBreak(lease, end: end)
      let now = moment.monotonic.nanoseconds
      if let process = lease.processToStop {
        kill(lease, process, .broken, at: now)
      } else if lease.cooldown > .zero {
        cool(lease, .broken, until: now + lease.cooldown.nanoseconds, at: now)
      } else {
        self.end(lease, .broken, at: moment)
      }
      return outcome
    }
    if lease.deadline == 0 || end.nanoseconds < lease.deadline {
      lease.record.deadline = end.nanoseconds
    }
    journal.setDeadline(of: lease)
    journal.setEnd(-moment.monotonic.nanoseconds, of: lease.cell)
    lease.graceEnd = 0
    leaseTable.schedule(lease, due: lease.due == 0 ? lease.deadline : min(lease.due, lease.deadline))
    if lease.bond?.stop != nil { planStop(lease) }
    outcome.end = MonotonicInstant(nanoseconds: lease.deadline)
    observers.ring.note(.breaking, lease, at: moment.monotonic.nanoseconds)
    tellOfBreak(lease, end: outcome.end)
    return outcome
  }

  private func tellOfBreak(_ lease: Lease, end: MonotonicInstant) {
    guard let client = lease.client, let note = lease.breaking else { return }
    observers.tell { client.breaking(at: end, note) }
  }

  /// Finds a lease by either of its names; a look at every record when it is the short one.
  private func find(_ name: LeaseName, within confinement: Confinement?) throws(LeaseholdError) -> Lease {
    switch name {
    case .id(let id): return try find(id, key: nil, within: confinement)
    case .ref(let ref):
      let found = leaseTable.byCell.all.filter { !$0.isPart && $0.id.high >> 24 == ref }
      guard let lease = found.first(where: \.isHeld) ?? found.first else {
        guard let end = leaseTable.ends.latest(ref: ref) else { throw .noSuchLease() }
        if let confinement { try confinement.check(end) }
        throw Self.over(end)
      }
      if let confinement { try confinement.check(lease) }
      guard found.count(where: \.isHeld) <= 1 else {
        throw LeaseholdError(.inUse, "Two leases have this ref, which is a rare chance; give the whole id of one.")
      }
      return lease
    }
  }

  private static func notYours(_ lease: Lease, _ uid: UInt32) -> LeaseholdError {
    LeaseholdError(
      .permissionDenied,
      "Lease \(lease.id.ref) was not acquired by user \(uid); only root, the service's own user and the lease's may "
        + "break it.",
      facts: [("ref", .text(lease.id.ref)), ("errno", .text("EPERM"))])
  }
}

extension Lease {
  /// The reason of its end by its deadline.
  var ownEnd: EndReason { breaking == nil ? .expired : .broken }

  /// The operator that ends it, the reason, and the instant.
  var breakNote: BreakNote {
    BreakNote(reason: breaking?.reason, by: breaking?.by, end: MonotonicInstant(nanoseconds: deadline))
  }
}
