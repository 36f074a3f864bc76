import SysVTypes

extension Ledger {
  /// Gives a lease back.
  ///
  /// `key`, when given, must be its lock.
  ///
  /// - Throws: As ``LockService/release(_:on:early:within:at:)``.
  public func release(
    _ id: LeaseID, key: LockKey?, native: NativeRequest? = nil, early: Bool = false,
    within confinement: Confinement? = nil, at moment: Moment
  ) throws(LeaseholdError) -> ReleaseOutcome {
    if let end = try findEnd(id, key: key, within: confinement), end.reason == .released {
      return ReleaseOutcome(key: end.key, id: id, already: true)
    }
    let lease = try find(id, key: key, native: native, within: confinement)
    // The service's own guards end with the work under them, and what goes back is looked at by then.
    if !lease.asked.leavesNoTrace { noticeRemoval(below: lease, at: moment) }
    guard lease.isHeld else { return try releaseKept(lease, early: early, at: moment) }
    if early { lease.atLeast = .zero }
    end(lease, .released, at: moment)
    return ReleaseOutcome(lease, already: false)
  }

  /// Gives back at once what is kept, where that is wanted.
  @inline(never)
  private func releaseKept(_ lease: Lease, early: Bool, at moment: Moment) throws(LeaseholdError) -> ReleaseOutcome {
    guard let past = lease.past, past.isKept, early || past.reason == .released else { throw Self.over(lease) }
    if early { end(lease, past.reason, at: moment) }
    return ReleaseOutcome(lease, already: true)
  }

  /// Moves a lease's deadline to now + `ttl` (its own when `nil`).
  ///
  /// One store of eight bytes.
  ///
  /// - Throws: As ``LockService/renew(_:on:ttl:within:at:)``.
  public func renew(
    _ id: LeaseID, key: LockKey?, native: NativeRequest? = nil, ttl: TimeSpan?,
    within confinement: Confinement? = nil, at moment: Moment
  ) throws(LeaseholdError) -> LeaseSnapshot {
    let lease = try findHeld(id, key: key, native: native, within: confinement, at: moment)
    guard lease.breaking == nil else { throw Self.beingBroken(lease, at: moment.monotonic) }
    let span = ttl ?? lease.ttl
    guard !lease.isEndless else { throw Self.endlessLease() }
    guard span > .zero || lease.isBound else { throw Self.endlessRenewal() }
    if let confinement { try confinement.check(span, and: lease.cooldown) }
    lease.record.ttl = span
    lease.record.deadline = span > .zero ? (moment.monotonic + span).nanoseconds : 0
    journal.setDeadline(of: lease)
    if !lease.hasLostBinding {
      forgetGrace(of: lease)
      leaseTable.schedule(lease, due: lease.deadline)
      if lease.bond?.stop != nil { callOffStop(lease) }
    }
    observers.renewed(lease, at: moment.monotonic.nanoseconds)
    return snapshot(lease)
  }

  /// Releases all leases of an owner; answers their short names.
  public func releaseAll(
    owner: String, key: LockKey?, of caller: Caller?, within confinement: Confinement? = nil, at moment: Moment
  ) -> [String] {
    let ofLock = key.flatMap { $0.native == nil ? lockTable[$0]?.holders ?? [] : nil }
    var leases: [Lease] = []
    for lease in ofLock ?? Array(leaseTable.byCell.all) {
      let head = lease.whole
      guard head.isHeld, head.owner.isExactly(owner), key.map(lease.key.means) ?? true,
        caller.map(head.belongs) ?? true, confinement.map({ $0.covers(head) }) ?? true
      else { continue }
      if lease === head || !leases.contains(where: { $0 === head }) { leases.append(head) }
    }
    for lease in leases {
      noticeRemoval(below: lease, at: moment)
      if lease.isHeld { end(lease, .released, at: moment) }
    }
    return leases.map(\.id.ref)
  }

  /// Moves a queue up that a waiter left: its first may be served, and sleeps in the kernel follow the queue.
  func moveUp(_ lock: Lock, wasFirst: Bool, at moment: Moment) {
    if wasFirst { serve(lock, at: moment) } else if lock.waitsOneByOne { followHead(lock) }
    serveUnserved(at: moment)
  }

  /// Takes back what can reach no caller any more.
  public func withdraw(_ withdrawal: Withdrawal, at moment: Moment) {
    switch withdrawal {
    case .waiter(let waiter): cancel(waiter, at: moment)
    case .grant(let grant): undo(grant, at: moment)
    case .connection(let connection): connectionClosed(connection, at: moment)
    }
  }

  /// Takes back a grant that could not be handed over: the slots go back, and a retry gets a new lease.
  ///
  /// A lease that a retry was told of meanwhile stays.
  private func undo(_ grant: Grant, at moment: Moment) {
    guard let lease = leaseTable[grant.lease], lease.isHeld, UInt64(lease.told) == grant.stamp else { return }
    leaseTable.forgetRetry(of: lease)
    lease.idempotencyKey = nil
    end(lease, .undelivered, at: moment)
  }

  /// Follows a lease: `client` hears of its deadline as it is now, of what changes it, and of its end.
  ///
  /// False when it is over already.
  public func follow(_ id: LeaseID, client: any LeaseClient) -> Bool {
    guard let lease = leaseTable[id], lease.isHeld else { return false }
    lease.client = client
    observers.tellDeadline(of: lease)
    // Asked before it could be told.
    if lease.remarks?.isAskedToYield == true { observers.tell { client.askedToYield() } }
    return true
  }

  /// Ends what is bound to a connection that closed.
  private func connectionClosed(_ connection: ConnectionID, at moment: Moment) {
    guard state == .ready else { return }
    for lease in leaseTable.bound(to: connection) where lease.isHeld { end(lease, .connectionClosed, at: moment) }
  }

  /// Ends a lease and hands its units on.
  ///
  /// The record comes first: from then on nothing else will ever undo it.
  func end(_ lease: Lease, _ reason: EndReason, at moment: Moment) {
    if reason != .released { noticeRemoval(below: lease, at: moment) }
    if lease.atLeast > .zero, keep(lease, reason, at: moment.monotonic.nanoseconds) { return }
    guard let lock = lease.whole.lock else { return }
    if lease.isOfSeveral || lock.place.marksMoves { return endAll(lease.whole, reason, at: moment) }
    let ended = finish(lease, reason, at: moment.monotonic.nanoseconds)
    gaveBack(lockTable.giveBack(.share(lease.share), of: lock, ended), on: lock, at: moment)
  }

  /// Lets the slots of a lease that ends stay taken for as long as it was to hold them at least; false where it did.
  @inline(never)
  private func keep(_ lease: Lease, _ reason: EndReason, at now: Int64) -> Bool {
    guard reason.leavesKept, lease.isHeld, lease.breaking == nil, lease.keptUntil > now else { return false }
    cool(lease, reason, until: lease.keptUntil, isKept: true, at: now)
    return true
  }

  /// Finishes a lease whose record may have something else in the place of the time of its end.
  func finishMarked(_ lease: Lease, _ reason: EndReason, at now: Int64) -> Ended {
    if lease.state == .suspect { lease.record.endedAt = now }
    let end = lease.breaking == nil ? lease.endedAt : -lease.endedAt
    return finish(lease, reason, at: now, storing: lease.isHeld ? nil : end)
  }

  /// Does what is due when a lease's deadline has passed.
  func expire(_ lease: Lease, at moment: Moment) {
    let now = moment.monotonic.nanoseconds
    if lease.bond?.stop != nil, stop(lease, at: moment) { return }
    if let past = lease.past { return end(lease, past.reason, at: moment) }
    if lease.hasLostBinding, lease.breaking == nil || now < lease.deadline {
      let isSeen = lease.bond?.process != nil
      end(lease, lease.bindsConnection ? .connectionClosed : isSeen ? .processExited : .processLost, at: moment)
      return
    }
    let lag = now - lease.due
    observers.counters.expiryLagSum += lag
    observers.counters.expiryLagMax = max(observers.counters.expiryLagMax, lag)
    let cooled = now + lease.cooldown.nanoseconds
    guard cooled > now, cooled > lease.keptUntil || lease.breaking != nil else {
      return end(lease, lease.ownEnd, at: moment)
    }
    cool(lease, lease.ownEnd, until: cooled, at: now)
  }

  /// Ends a lease for its holder; its slots stay taken until an instant, in nanoseconds.
  func cool(_ lease: Lease, _ reason: EndReason, until due: Int64, isKept: Bool = false, at now: Int64) {
    lease.record.endedAt = now
    journal.cool(lease.cell, until: due, end: lease.breaking == nil ? now : -now, kept: isKept ? reason : nil)
    leaseTable.cool(lease, reason, isKept: isKept, until: due)
    for lease in lease.members { dismissUpgrade(of: lease) }
    observers.ended(lease, reason, at: now)
  }

  /// Does everything of an end but the semop: commits it to the record, then forgets the lease as a holder.
  ///
  /// What cools down is over already, for the reason that it had then: a removal of its lock ends only the cooldown.
  ///
  /// - Parameter end: What its record says of the time of its end, where that is not now.
  func finish(_ lease: Lease, _ asked: EndReason, at now: Int64, storing end: Int64? = nil) -> Ended {
    let wasHeld = lease.isHeld
    let reason = if case .cooling(let reason, _) = lease.state { reason } else { asked }
    if wasHeld { lease.record.endedAt = now }
    let ended = journal.end(lease.cell, reason, storing: wasHeld ? now : end)
    switch lease.state {
    case .held: observers.ended(lease, reason, at: now)
    case .suspect: observers.counters.ended.count(Int(reason.rawValue))
    case .cooling, .ended: break
    }
    observers.bumpVersion(of: leaseTable.unregister(lease, as: reason))
    dismissUpgrade(of: lease)
    journal.freeText(lease.textCell)
    lease.record.textCell = TextRecord.none
    lease.owner = nil
    if lease.asked.leavesNoTrace {
      journal.free(lease.cell)
      leaseTable.forgetRetry(of: lease)
    } else if let forgotten = leaseTable.remember(Tombstone(lease, reason)) {
      journal.free(forgotten)
    }
    return ended
  }

  /// Does what follows the semop of an end: serves the queue, or deals with a refusal.
  func gaveBack(_ outcome: KernelOutcome, on lock: Lock, at moment: Moment) {
    lock.lastUse = moment.monotonic.nanoseconds
    journal.setLastUse(lock.lastUse, of: lock.cell)
    if lock.unitsOut == 0 { forgetLimitIfAlone(lock) }
    switch outcome {
    case .done: if !lock.queue.isEmpty { serve(lock, at: moment) }
    case .removed: setVanished(lock, at: moment)
    case .failed where outcome.mayPass: observers.counters.undoFailures += 1
    case .wouldBlock, .failed:
      // Another program wrote the set's values. Nothing is added that the ledger's own count does not cover.
      observers.counters.undoFailures += 1
      guard !lock.place.isOwn else {
        return damage(lock, .uncounted, units: 0, "The set's values do not cover what a lease gave back", at: moment)
      }
      if !lock.queue.isEmpty { serve(lock, at: moment) }
    }
  }

  /// Ends a lease whose set a native program removed or wrote, whether housekeeping has seen it or not.
  func noticeRemoval(below lease: Lease, at moment: Moment) {
    guard lease.isHeld else { return }
    for part in lease.parts { noticeRemoval(below: part, at: moment) }
    guard lease.isHeld, let native = lease.lock?.place.native else { return }
    inspect(at: native, at: moment)
  }

  /// Finds a lease that stands on its lock: held, or over for its holder and not for the lock.
  ///
  /// This is the one way from an id to a lease that a caller means, so it checks that the caller may reach it.
  ///
  /// The error of one that ended says how.
  func find(
    _ id: LeaseID, key: LockKey?, native: NativeRequest? = nil, within confinement: Confinement?
  ) throws(LeaseholdError) -> Lease {
    guard let lease = leaseTable[id] else {
      if hasSurrendered { throw Self.notServing(state) }
      guard let end = try findEnd(id, key: key, within: confinement) else { throw .noSuchLease() }
      throw Self.over(end)
    }
    if let confinement { try confinement.check(lease) }
    if let key, !lease.key.means(key), !isMeant(lease, by: native),
      !lease.parts.contains(where: { $0.key.means(key) || isMeant($0, by: native) })
    {
      throw .foreignLease(of: lease.key, asked: key)
    }
    return lease
  }

  /// Finds a lease on which its holder may count, once its sets were looked at.
  func findHeld(
    _ id: LeaseID, key: LockKey?, native: NativeRequest? = nil, within confinement: Confinement?, at moment: Moment
  ) throws(LeaseholdError) -> Lease {
    let lease = try find(id, key: key, native: native, within: confinement)
    noticeRemoval(below: lease, at: moment)
    guard lease.isHeld else { throw Self.over(lease) }
    return lease
  }

  /// The memory of a lease that ended.
  private func findEnd(
    _ id: LeaseID, key: LockKey?, within confinement: Confinement?
  ) throws(LeaseholdError) -> Tombstone? {
    guard !leaseTable.has(id), let end = leaseTable.ends[id] else { return nil }
    if let confinement { try confinement.check(end) }
    if let key, let own = end.key, !own.means(key), !end.keys.contains(where: { $0.means(key) }) {
      throw .foreignLease(of: own, asked: key)
    }
    return end
  }

  /// Returns true when another name leads to the semaphore that a lease stands on: a lock is a semaphore, not its
  /// spelling.
  func isMeant(_ lease: Lease, by native: NativeRequest?) -> Bool {
    guard let native, let lock = lease.lock, !lock.place.isOwn,
      let bound = lockTable.find(native)
    else { return false }
    return bound.id == lock.set && native.semaphore == lock.place.semaphore
  }
}

extension ReleaseOutcome {
  fileprivate init(_ lease: Lease, already: Bool) {
    self.init(key: lease.key, id: lease.id, already: already)
    if lease.past != nil { keptUntil = MonotonicInstant(nanoseconds: lease.deadline) }
  }
}

extension EndReason {
  /// True when slots that a lease was to hold longer stay taken after such an end: not where it was to come to an end.
  fileprivate var leavesKept: Bool {
    switch self {
    case .released, .expired, .connectionClosed, .processExited, .processLost: true
    case .broken, .transferred, .rewritten, .undelivered, .setRemoved, .lockRemoved: false
    }
  }
}
