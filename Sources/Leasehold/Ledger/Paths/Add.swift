// More locks for a lease that is held: all of them or none, and what it has stays as it is.
//
// The new parts have a fence of their own. The first of them names those that it was added to and is marked last, in
// one store: so after a crash all of them are the lease's, or none. Nothing waits here, because a caller that holds
// something while it waits for more makes others wait.

extension Ledger {
  /// Adds locks to a lease; of those that it has in this very form nothing is taken again.
  ///
  /// - Throws: As ``LockService/add(_:at:)``.
  public func add(_ request: AddRequest, at moment: Moment) throws(LeaseholdError) -> LeaseSnapshot {
    guard state == .ready else { throw Self.notServing(state) }
    defer { serveUnserved(at: moment) }
    let wants = request.wants.map { AcquireRequest($0, ttl: .zero, caller: request.caller) }
    for _ in 0..<16 {
      let lease = try findHeld(request.lease, key: nil, within: request.caller.confinement, at: moment)
      guard lease.breaking == nil else { throw Self.beingBroken(lease, at: moment.monotonic) }
      if case .operations = lease.kind { throw Self.notALock(lease) }
      try check(request.caller.confinement, addingTo: lease, at: moment)
      let wanted = try find(wants, at: moment)
      // Looking for the locks may have shown that a set of the lease is gone.
      guard lease.isHeld else { throw Self.over(lease) }
      if try has(lease, wants, wanted) {
        let answer = snapshot(lease)
        answer.replayed = true
        return answer
      }
      guard lease.isOfToken(of: request.caller) else { throw Self.ofAnotherToken(lease, request.caller) }
      guard lease.members.count + wants.count <= Limits.wants else { throw Self.tooManyLocks(lease) }
      if let busy = lockInTheWay(of: wanted) { throw busyToAdd(busy, at: moment) }
      switch try takeAll(wanted, wants, request.caller, 0, waited: .zero, addedTo: lease, at: moment) {
      case .granted(let lease): return snapshot(lease)
      case .not(.refused(let error), _): throw error
      case .not(.removed, let lock): setVanished(lock, at: moment)
      case .not(.busy, let lock), .not(.full, let lock), .not(.retrySoon, let lock):
        throw busyToAdd(lock, at: moment)
      }
    }
    throw Self.setKeepsVanishing(wants[0].key, at: moment)
  }

  /// Returns true when a lease has all that is wanted already; refuses what it has in another form, or in part.
  private func has(
    _ lease: Lease, _ wants: [AcquireRequest], _ wanted: [Wanted]
  ) throws(LeaseholdError) -> Bool {
    var known = 0
    for want in wanted {
      let parts = lease.members.filter { $0.lock === want.lock }
      guard let part = parts.first else { continue }
      let (units, slots) = parts.reduce((0, UInt64(0))) { ($0.0 + $1.units, $0.1 | $1.slots) }
      guard units == want.share.units, part.mode == want.share.mode, want.share.slots & ~slots == 0 else {
        throw .sameLockTwice(part.key, wants[want.wants[0]].key, "as the lease has it already, in another form")
      }
      known += 1
    }
    guard known == 0 || known == wanted.count else {
      throw .sameLockTwice(lease.key, wants[0].key, "as the lease has some of what is wanted, and not all")
    }
    return known > 0
  }

  private func busyToAdd(_ lock: Lock, at moment: Moment) -> LeaseholdError {
    observers.counters.busy += 1
    return notAdded(lock, at: moment.monotonic)
  }

  /// Throws where what is added would stay taken for longer than its caller may keep a lock.
  private func check(
    _ confinement: Confinement?, addingTo lease: Lease, at moment: Moment
  ) throws(LeaseholdError) {
    guard let confinement else { return }
    let end = max(lease.deadline, lease.keptUntil - lease.cooldown.nanoseconds)
    let left = lease.deadline == 0 ? 0 : max(1, end - moment.monotonic.nanoseconds)
    try confinement.check(TimeSpan(nanoseconds: left), and: lease.cooldown, "take the locks on another lease with")
  }

  private static func ofAnotherToken(_ lease: Lease, _ caller: Caller) -> LeaseholdError {
    let token = caller.account?.token
    return LeaseholdError(
      .forbidden,
      (lease.asked.account == nil
        ? "Since its restart the service does not know which token lease \(lease.id.ref) is of"
        : "Lease \(lease.id.ref) is of another token, which might not renew or release it with more locks")
        + ": only the token that a lease is of adds locks to it. Transfer the lease to yourself first, or take the "
        + "locks on another one.",
      facts: (token.map { [("token", .text($0))] } ?? []) + [("ref", .text(lease.id.ref))])
  }

  private static func notALock(_ lease: Lease) -> LeaseholdError {
    LeaseholdError(
      .invalidParameter,
      "Lease \(lease.id.ref) is of operations and not of locks: nothing can be added to it. Acquire another one.",
      facts: [("parameter", .text("id")), ("ref", .text(lease.id.ref))])
  }

  private static func tooManyLocks(_ lease: Lease) -> LeaseholdError {
    LeaseholdError(
      .outOfRange,
      "A lease has at most \(Limits.wants) locks, and \(lease.id.ref) has \(lease.members.count); acquire the rest on "
        + "a lease of its own.",
      facts: [
        ("parameter", .text("want")), ("minimum", .number(1)), ("maximum", .number(Int64(Limits.wants))),
        ("ref", .text(lease.id.ref)),
      ])
  }
}

extension Lease {
  /// Returns true when its token is the caller's, or its holder came without one and so may use all locks.
  ///
  /// After a restart a lease has forgotten its token.
  fileprivate func isOfToken(of caller: Caller) -> Bool {
    let token = caller.account?.token
    guard let account = asked.account else { return token == nil }
    return account.token == nil || account.token == token
  }
}
