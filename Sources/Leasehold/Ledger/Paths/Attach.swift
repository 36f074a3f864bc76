// A lease is bound to a connection after its grant, or to another one than before.
//
// One store of eight bytes, the deadline's: after a crash the lease is bound, and gets the grace of those whose
// connection is gone, or it is what it was.

extension Ledger {
  /// Binds a lease to the caller's connection: it ends with that, and with no other any more.
  ///
  /// A follower hears that it was transferred. An answer to its acquire that gets lost takes nothing away.
  ///
  /// - Throws: As ``renew(_:key:native:ttl:within:at:)``; `draining`, `starting`; `invalid-parameter` for a lease that
  ///   is bound to a process.
  public func attach(_ request: AttachRequest, at moment: Moment) throws(LeaseholdError) -> LeaseSnapshot {
    guard state == .ready else { throw Self.notServing(state) }
    let lease = try findHeld(request.lease, key: nil, within: request.caller.confinement, at: moment)
    guard lease.breaking == nil else { throw Self.beingBroken(lease, at: moment.monotonic) }
    guard !lease.isEndless else { throw Self.endlessLease() }
    guard lease.bond == nil else { throw Self.boundToProcess(lease) }
    var (deadline, ttl) = lease.bindsConnection ? (lease.deadline, lease.ttl) : (0, .zero)
    if let asked = request.ttl { (deadline, ttl) = (asked > .zero ? (moment.monotonic + asked).nanoseconds : 0, asked) }
    if let confinement = request.caller.confinement {
      let left = TimeSpan(nanoseconds: deadline == 0 ? 0 : max(1, deadline - moment.monotonic.nanoseconds))
      try confinement.check(left, and: lease.cooldown)
    }
    if let old = lease.client {
      lease.client = nil
      observers.tell { old.ended(.transferred, nil, at: moment.monotonic) }
    }
    lease.attach(deadline: deadline, ttl: ttl)
    journal.setDeadline(of: lease)
    bind(lease, to: request.caller.connection, and: nil)
    observers.renewed(lease, at: moment.monotonic.nanoseconds)
    return toldAgain(lease, to: request.caller)
  }
}
