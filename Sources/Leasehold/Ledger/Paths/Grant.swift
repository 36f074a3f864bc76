import SysVTypes

extension Ledger {
  /// Step one of a grant: reserves and writes the record.
  ///
  /// A crash from here to the semop leaves nothing behind. Inlined, as most of what it may be given is nothing.
  @inline(__always)
  func prepare(
    _ request: AcquireRequest, lock: Lock, share: Share, waited: TimeSpan,
    adjustments: [SemaphoreOperation] = [], fingerprint: UInt64? = nil, partOf head: PartGroup? = nil,
    beside kept: UInt64 = 0, at moment: Moment
  ) throws(LeaseholdError) -> Draft {
    guard leaseTable.count < limits.leases else { throw Self.ledgerFull(limits.leases) }
    if let process = request.process, process.process.hasEnded { throw Self.processEnded(process) }
    try request.caller.account?.check(.leases)
    let cell = try reserve()
    let deadline = request.ttl > .zero ? (moment.monotonic + request.ttl).nanoseconds : 0
    var record = LeaseRecord(
      id: head?.id ?? leaseTable.makeID(), fence: head?.fence ?? journal.nextFence(at: moment),
      grantedAt: moment.monotonic, deadline: deadline, lockCell: lock.cell, units: share.units,
      ttl: request.ttl, cooldown: request.cooldown, count: request.count, mode: request.mode,
      bindsConnection: request.bindsConnection, isEndless: request.native?.isEndless ?? false,
      fingerprint: fingerprint ?? (request.idempotencyKey == nil ? 0 : request.fingerprint), waited: waited,
      peer: request.caller.peer,
      ownerLength: request.owner?.utf8.count, keyLength: request.idempotencyKey?.utf8.count ?? 0,
      nameLength: lock.place.isOwn || lock.key == request.key ? 0 : request.key.text.utf8.count,
      adjustmentCount: adjustments.count, bindsProcess: request.process != nil, textCell: TextRecord.none)
    record[.atLeast] = request.holdAtLeast > .zero
    if lock.terms != nil { record.slots = lock.choose(share, beside: kept) }
    if let head { record.become(partOf: head, at: fingerprint ?? 0) }
    if record.textLength == 0 { return journal.draft(record, of: request.key, inline: [], at: cell) }
    var text: [UInt8] = []
    if head == nil {
      if let grace = request.process?.stopGrace { (record.stops, record.cooldown) = (true, grace) }
      text = Array((request.owner ?? "").utf8) + Array((request.idempotencyKey ?? "").utf8)
      if let process = request.process { text += RecordedProcess(process).recordBytes }
      if record[.atLeast] { text.append(UInt32(clamping: request.holdAtLeast.milliseconds), bytes: 4) }
    }
    if record.nameLength > 0 { text += Array(request.key.text.utf8) }
    text += adjustments.recordBytes
    return try journal.draft(record, of: request.key, text: text, at: cell) { leaseTable.forgetOldestEnd() }
  }

  /// The outcome of an attempt to grant.
  enum Granting {
    case granted(Lease)
    /// Not granted: the units went back, and the record is free; the lock that was in the way.
    case not(Obstacle, Lock)
  }

  /// Grants a share in one attempt: the record, the semop, the mark.
  ///
  /// - Throws: why there is no record for it.
  @inline(__always)
  func grant(
    _ share: Share, of lock: Lock, to request: AcquireRequest, waited: TimeSpan, beside kept: UInt64 = 0,
    at moment: Moment
  ) throws(LeaseholdError) -> Granting {
    let draft = try prepare(request, lock: lock, share: share, waited: waited, beside: kept, at: moment)
    switch take(share, of: lock, for: request, draft) {
    case .taken(let taken, let limitApplied):
      return hold(draft, taken, for: request, on: lock, limitApplied)
    case .not(let obstacle):
      journal.discard(draft)
      return .not(obstacle, lock)
    }
  }

  /// The last steps of a grant, after the semop that took its units.
  @inline(__always)
  func hold(
    _ draft: consuming Draft, _ taken: consuming Taken, for request: AcquireRequest, on lock: Lock, _ applied: Bool?
  ) -> Granting {
    guard lock.place.countsLeasedUnits else { return holdUncounted(draft, taken, for: request, on: lock, applied) }
    return .granted(commit(draft, taken, for: request, on: lock, applied))
  }

  /// Where the kernel's values cannot tell what is out on leases: makes permanent what was taken with SEM_UNDO.
  ///
  /// A crash in between leaves a suspect: nobody can know whether the undo ran.
  @inline(never)
  private func holdUncounted(
    _ draft: consuming Draft, _ taken: consuming Taken, for request: AcquireRequest, on lock: Lock, _ applied: Bool?
  ) -> Granting {
    let share = draft.lease.share
    let armed = journal.arm(draft, taken)
    switch lockTable.makePermanent(share, of: lock, armed) {
    case .taken(let kept): return .granted(commit(armed.draft, kept, for: request, on: lock, applied))
    case .not(let outcome):
      journal.discard(armed.draft)
      if outcome == .removed { return .not(.removed, lock) }
      lockTable.dropWaited(share, of: lock)
      return .not(.refused(Self.refused(outcome)), lock)
    }
  }

  /// Marks the record of a lease whose units are taken for good, and lets it stand on its lock.
  ///
  /// A crash from here on finds the lease standing.
  func commit(
    _ draft: consuming Draft, _ taken: consuming Taken, for request: AcquireRequest, on lock: Lock,
    _ limitApplied: Bool? = nil
  ) -> Lease {
    let lease = draft.lease
    // One by one: an optional text is copied the long way.
    if let owner = request.owner { lease.owner = owner }
    if let key = request.idempotencyKey { lease.idempotencyKey = key }
    journal.hold(draft, taken)
    lease.asked.limitApplied = lock.terms == nil ? limitApplied : lock.applies(request)
    stand(lease, for: request, on: lock)
    return lease
  }

  /// Lets a lease stand on its lock that was just marked as held.
  func stand(_ lease: Lease, for request: AcquireRequest, on lock: Lock) {
    lease.asked.leavesNoTrace = request.leavesNoTrace
    lease.atLeast = request.holdAtLeast
    lease.asked.account = request.caller.account
    lease.asked.trace = request.caller.trace
    register(lease, on: lock)
    bind(lease, to: request.caller.connection, and: request.process)
    observers.granted(lease)
    if let remarks = request.remarks { begin(lease, remarks) }
  }

  /// Lets a lease stand on its lock.
  @inline(__always)
  func register(_ lease: Lease, on lock: Lock) {
    leaseTable.register(lease, on: lock)
    registered(lease, on: lock)
  }

  /// A lease stands on its lock from now on.
  @inline(__always)
  func registered(_ lease: Lease, on lock: Lock) {
    observers.bumpVersion(of: lock)
    if let set = lock.place.native { markWrites(lease, on: set, of: lock) }
  }

  /// Binds a lease to what it ends with, if it does.
  @inline(__always)
  func bind(_ lease: Lease, to connection: ConnectionID, and process: ProcessBinding?) {
    if lease.bindsConnection {
      forgetGrace(of: lease)
      leaseTable.bind(lease, to: connection)
    }
    if let process { bind(lease, to: process) }
  }

  /// Hands free units to waiters in order, until the first that cannot have what it wants.
  func serve(_ lock: Lock, at moment: Moment) {
    serveQueue(lock, at: moment)
    serveUnserved(at: moment)
  }

  /// Looks at the queues that moved on because a request for several locks left them.
  func serveUnserved(at moment: Moment) {
    while let next = queues.popUnserved() {
      if !next.queue.isEmpty { serveQueue(next, at: moment) } else { followHead(next) }
    }
  }

  private func serveQueue(_ lock: Lock, at moment: Moment) {
    // A new lease must not share a lock with leases that a native program's write ended.
    if let native = lock.place.native, native.hasLeases, !lock.queue.isEmpty { notice(native, at: moment) }
    guard lockTable.knows(lock) else { return }
    while let waiter = lock.queue.first, state == .ready, !lock.isDamaged {
      if waiter.isDetached, waiter.group == nil { break }
      if let group = waiter.group {
        guard serve(group, at: moment) else { return }
        continue
      }
      guard lock.hasRoom(for: waiter.share) else { break }
      if let lease = waiter.converting {
        guard serveUpgrade(waiter, lease, on: lock, at: moment) else { break }
        continue
      }
      switch grant(to: waiter, of: lock, at: moment) {
      case nil: continue
      case .removed?: return setVanished(lock, at: moment)
      // Not free, or not now: a thread in the kernel hears when it may be.
      case _?: return followHead(lock)
      }
    }
    if lock.slots != nil { servePast(lock, at: moment) }
    followHead(lock)
  }

  /// Grants a waiter what it wants, or sends it away; answers what is in the way of both.
  func grant(to waiter: Waiter, of lock: Lock, beside kept: UInt64 = 0, at moment: Moment) -> Obstacle? {
    do throws(LeaseholdError) {
      let waited = moment.monotonic - waiter.since
      switch try grant(waiter.share, of: lock, to: waiter.request, waited: waited, beside: kept, at: moment) {
      case .granted(let lease): granted(lease, to: waiter)
      case .not(.refused(let error), _): throw error
      case .not(let obstacle, _): return obstacle
      }
    } catch {
      dismiss(waiter, error)
    }
    return nil
  }

  /// Tells a waiter that it has its lease.
  func granted(_ lease: Lease, to waiter: Waiter) {
    leave(waiter)
    tell(waiter, snapshot(lease))
  }

  /// Tells a waiter of a lease, if it can be told.
  func tell(_ waiter: Waiter, _ lease: LeaseSnapshot) {
    if let client = waiter.client { observers.tell { client.granted(lease) } }
  }

  /// Takes a request out of everything, with all of its places; nothing happens when it left already.
  func leave(_ waiter: Waiter) {
    guard queues.has(waiter) else { return }
    let lead = waiter.lead
    bumpVersions(of: waiter.seats)
    queues.leave(waiter)
    leaseTable.forgetRetry(lead.request, lead.id)
  }

  /// Sends a waiter away.
  func dismiss(_ waiter: Waiter, _ error: LeaseholdError) {
    leave(waiter)
    observers.left(waiter, error.code.rawValue, telling: error, at: latest)
    observers.counters.refused += 1
  }
}
