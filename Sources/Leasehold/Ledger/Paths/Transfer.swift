// A lease goes on under another id.
//
// The units stay where they are: nothing is asked of the kernel. After a crash exactly one of both ids must be held,
// and one store of eight bytes decides which:
//
//   step                                                             a crash right after it
//   1. the successor's record is written, not marked, and names      the old id is held
//      its predecessor
//   2. the successor's record is marked as held                      recovery finds both held, sees that one succeeds
//                                                                    the other, and ends the other: the new id is held
//   3. the predecessor's record is marked as ended                   the new id is held
//
// The other order would have an instant in which neither is held, and recovery would give the units back.
//
// The successor has a fence of its own: what checks fences turns the old holder away, as after any change of holder.

extension Ledger {
  /// Gives a lease another id and holder; the old id is over.
  ///
  /// What the lease was bound to does not matter any more.
  ///
  /// - Throws: As ``LockService/transfer(_:at:)``.
  public func transfer(_ request: TransferRequest, at moment: Moment) throws(LeaseholdError) -> LeaseSnapshot {
    let old = try findHeld(request.lease, key: nil, within: request.caller.confinement, at: moment)
    guard let lock = old.lock else { throw Self.over(old) }
    guard old.breaking == nil else { throw Self.beingBroken(old, at: moment.monotonic) }
    if let account = request.caller.account, account !== old.asked.account { try account.check(.leases) }
    let isBound = request.bindsConnection || request.process != nil
    if old.isEndless, isBound || request.ttl != nil { throw Self.endlessLease() }
    if let process = request.process, process.process.hasEnded { throw Self.processEnded(process) }
    let draft = try draft(try successor(of: old, on: lock, request, at: moment), of: old, request)
    let lease = draft.lease
    lease.owner = request.owner ?? old.owner
    journal.succeed(by: draft)
    if case .operations = old.kind { lease.kind = old.kind }
    lease.atLeast = old.keeping(from: lease.grantedAt)
    lease.asked.account = request.caller.account
    lease.asked.trace = request.caller.trace
    register(lease, on: lock)
    observers.ring.note(.granted, lease, at: moment.monotonic.nanoseconds)
    lease.asked.limitApplied = old.asked.limitApplied
    finish(old, .transferred, at: moment.monotonic.nanoseconds).forfeit()
    for part in old.parts { dismissUpgrade(of: part) }
    leaseTable.moveParts(of: old, to: lease)
    observers.ring.noteParts(.granted, of: lease, at: moment.monotonic.nanoseconds)
    bind(lease, to: request.caller.connection, and: request.process)
    return snapshot(lease)
  }

  private func successor(
    of old: Lease, on lock: Lock, _ request: TransferRequest, at moment: Moment
  ) throws(LeaseholdError) -> LeaseRecord {
    var deadline = old.deadline
    if let ttl = request.ttl { deadline = ttl > .zero ? (moment.monotonic + ttl).nanoseconds : 0 }
    let isBound = request.bindsConnection || request.process != nil
    guard deadline > 0 || isBound || old.isEndless else { throw Self.endlessRenewal() }
    if let confinement = request.caller.confinement {
      let span = TimeSpan(nanoseconds: deadline == 0 ? 0 : max(1, deadline - moment.monotonic.nanoseconds))
      try confinement.check(span, and: old.cooldown)
    }
    var record = LeaseRecord(
      id: leaseTable.makeID(), fence: journal.nextFence(at: moment), grantedAt: moment.monotonic, deadline: deadline,
      lockCell: lock.cell, units: old.units, ttl: request.ttl ?? old.ttl, cooldown: old.cooldown, count: old.count,
      mode: old.mode, bindsConnection: request.bindsConnection, isEndless: old.isEndless, fingerprint: 0,
      waited: .zero, peer: request.caller.peer, ownerLength: (request.owner ?? old.owner)?.utf8.count, keyLength: 0,
      nameLength: lock.place.isOwn || lock.key == old.key ? 0 : old.key.text.utf8.count,
      adjustmentCount: old.adjustments.count, bindsProcess: request.process != nil, predecessor: old.id.low,
      textCell: TextRecord.none)
    // Its parts stay as they are, and go by the fence they have.
    record[.group] = old.isOfSeveral
    record[.atLeast] = old.keptUntil > moment.monotonic.nanoseconds
    record.slots = old.slots
    return record
  }

  private func draft(
    _ record: LeaseRecord, of old: Lease, _ request: TransferRequest
  ) throws(LeaseholdError) -> Draft {
    var text = Array((request.owner ?? old.owner ?? "").utf8)
    if let process = request.process { text += RecordedProcess(process).recordBytes }
    if case .whole(let parts) = old.kind { text.append(parts.fence, bytes: 8) }
    if record[.atLeast] {
      text.append(UInt32(clamping: old.keeping(from: record.grantedAt).milliseconds), bytes: 4)
    }
    if record.nameLength > 0 { text += Array(old.key.text.utf8) }
    text += old.adjustments.recordBytes
    return try journal.draft(record, of: old.key, text: text, at: try reserve()) { leaseTable.forgetOldestEnd() }
  }
}

extension Lease {
  /// The time from an instant on for which its slots stay taken even when it ends earlier.
  fileprivate func keeping(from instant: MonotonicInstant) -> TimeSpan {
    TimeSpan(nanoseconds: max(0, keptUntil - instant.nanoseconds))
  }
}
