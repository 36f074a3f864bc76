extension Ledger {
  /// Takes one lock, or several at once or none; or queues for them when the request has a wait.
  public func acquire(
    _ request: AcquireRequest, client: () -> any LeaseClient, at moment: Moment
  ) -> AcquireOutcome {
    guard request.others.isEmpty else { return acquire(several: request.each, client: client, at: moment) }
    guard state == .ready else { return refuse(Self.notServing(state)) }
    if request.idempotencyKey != nil,
      let known = replay(request, fingerprint: request.fingerprint, client: client, at: moment)
    {
      return known
    }
    do {
      try request.caller.account?.check(.leases)
      var lock = try findOrMakeLock(request, at: moment)
      let share = lock.share(of: request)
      var patience = TimeSpan.zero
      if lock.queue.isEmpty || request.remarks?.newest == nil && mayPass(share, on: lock),
        let lease = try take(lock, share, request, &patience, at: moment)
      {
        return .granted(snapshot(lease))
      }
      // A set that vanished under the attempt was replaced by another: the queue of the new lock counts.
      if !lockTable.knows(lock) { lock = try findOrMakeLock(request, at: moment) }
      patience = max(patience, request.wait)
      guard patience > .zero else {
        observers.counters.busy += 1
        return .refused(locked(lock, at: moment.monotonic))
      }
      let wanted = [Wanted(lock: lock, wants: [0], share: share)]
      return try enqueue(wanted, [request], 0, for: patience, client: client(), at: moment)
    } catch {
      return refuse(error)
    }
  }

  func refuse(_ error: LeaseholdError) -> AcquireOutcome {
    if error.code == .queueFull { observers.counters.busy += 1 } else { observers.counters.refused += 1 }
    return .refused(error)
  }

  /// Takes the units now; `nil` when they are not free.
  ///
  /// - Throws: why they cannot be had, not even by waiting.
  func take(
    _ lock: Lock, _ share: Share, _ request: AcquireRequest, _ patience: inout TimeSpan, at moment: Moment
  ) throws(LeaseholdError) -> Lease? {
    var lock = lock
    for _ in 0..<16 {
      guard !lock.isDamaged else { throw Self.damaged(lock) }
      guard lock.hasRoom(for: share) else { return nil }
      if let native = lock.place.native, native.hasLeases || lock.place.sharesCount && lock.capacity != nil {
        // A new lease must not share a lock with leases that a native program's write ended.
        inspect(at: native, at: moment)
        guard lockTable.knows(lock) else {
          lock = try findOrMakeLock(request, at: moment)
          guard lock.queue.isEmpty else { return nil }
          continue
        }
      }
      let kept = lock.terms == nil ? 0 : lock.keptSlots() ?? 0
      switch try grant(share, of: lock, to: request, waited: .zero, beside: kept, at: moment) {
      case .granted(let lease): return lease
      case .not(.busy, _): return nil
      case .not(.full(let error), _):
        guard request.wait > .zero else { throw error }
        return nil
      case .not(.retrySoon, _):
        patience = Self.patienceForRetry
        return nil
      case .not(.refused(let error), _): throw error
      case .not(.removed, _): break
      }
      setVanished(lock, at: moment)
      lock = try findOrMakeLock(request, at: moment)
      guard lock.queue.isEmpty else { return nil }
    }
    // The waiters stay in the queue; its sleepers find the set that stays.
    if request.wait > .zero { return nil }
    throw Self.setKeepsVanishing(lock.key, at: moment)
  }

  /// The time that a request without a wait stands in the queue of a lock that may be free: as `sem_get` waits for its
  /// guard.
  static let patienceForRetry = TimeSpan.milliseconds(100)

  /// The requests before a waiter, where its own belongs to a trace: so a log tells who held up whom.
  func queueNote(of waiter: Waiter, at lock: Lock) -> QueueNote? {
    guard !waiter.caller.trace.isNone else { return nil }
    return QueueNote(
      holder: lock.holders.first.map(snapshot), holders: lock.heldCount,
      waiters: lock.queue.count)
  }

  /// Refuses a waiter that would be one too many, for the service or for its caller.
  ///
  /// - Parameter older: Those that it will end.
  func checkRoomToWait(_ caller: Caller, without older: [Waiter] = []) throws(LeaseholdError) {
    guard queues.count - older.count < limits.waiters else { throw .tooManyWaiters(limits.waiters) }
    if older.contains(where: { $0.caller.account === caller.account }) { return }
    try caller.account?.check(.waiters)
  }

  /// Lets a request wait, in all of its places; ``leave(_:)`` is the opposite.
  ///
  /// - Throws: `deadlock`, and why it cannot keep a lease that it names; then it has left again.
  func enter(
    _ seats: [Waiter], first: Bool = false, at moment: Moment
  ) throws(LeaseholdError) -> AcquireOutcome {
    let lead = seats[0]
    queues.enter(seats, first: first)
    bumpVersions(of: seats)
    observers.queued(lead, at: moment.monotonic.nanoseconds)
    leaseTable.noteRetry(lead.request, lead.id)
    try refuseDeadlock(lead, at: moment)
    if let group = lead.request.remarks?.newest { overtake(lead, in: group, at: moment) }
    if let group = lead.group {
      _ = serve(group, at: moment)
    } else if let lock = lead.lock, lock.slots != nil {
      serve(lock, at: moment)
    } else if let lock = lead.lock, lock.queue.first === lead || lock.waitsOneByOne {
      followHead(lock)
    }
    return .waiting(lead.id, behind: lead.lock.flatMap { queueNote(of: lead, at: $0) })
  }

  func bumpVersions(of seats: [Waiter]) {
    for seat in seats { if let lock = seat.lock { observers.bumpVersion(of: lock) } }
  }
}
