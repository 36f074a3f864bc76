// A request that comes again with its Idempotency-Key, and the place that waits for it.

extension Ledger {
  /// Answers a retry: the same lease, or the same place in the queue.
  ///
  /// `nil` when the key is new.
  func replay(
    _ request: AcquireRequest, fingerprint: UInt64, client: () -> any LeaseClient, at moment: Moment
  ) -> AcquireOutcome? {
    guard let scope = IdempotencyScope(request) else { return nil }
    if leaseTable.canceled.contains(scope.key) { return refuse(.canceled()) }
    if leaseTable.superseded.contains(scope) { return refuse(Self.overtaken(request)) }
    guard let retry = leaseTable.retry(scope) else { return nil }
    switch retry {
    case .lease(let lease):
      guard lease.fingerprint == fingerprint else { return refuse(.idempotencyMismatch()) }
      guard lease.isHeld else { return refuse(Self.over(lease)) }
      bind(lease, to: request.caller.connection, and: nil)
      if let process = request.process, let error = rebind(lease, with: process, at: moment) { return refuse(error) }
      return .granted(replayed(lease, to: request.caller))
    case .waiter(let id):
      guard let waiter = queues[id] else { return nil }
      guard (waiter.group?.fingerprint ?? waiter.request.fingerprint) == fingerprint else {
        return refuse(.idempotencyMismatch())
      }
      guard let lock = waiter.lock else { return refuse(.idempotencyMismatch()) }
      guard request.wait > .zero else {
        if let lease = takeOver(waiter, on: lock, request, at: moment) { return .granted(snapshot(lease)) }
        observers.counters.busy += 1
        return .refused(locked(lockInTheWay(of: waiter) ?? lock, at: moment.monotonic))
      }
      return supersede(waiter, on: lock, request, client(), at: moment)
    }
  }

  /// The lease as a retry is told of it.
  func replayed(_ lease: Lease, to caller: Caller) -> LeaseSnapshot {
    observers.counters.replayed += 1
    return toldAgain(lease, to: caller)
  }

  /// The lease as its holder is told of it once more, by whatever way it came now.
  func toldAgain(_ lease: Lease, to caller: Caller) -> LeaseSnapshot {
    lease.record.peer = caller.peer
    lease.told &+= 1
    let answer = snapshot(lease)
    answer.replayed = true
    return answer
  }

  private func supersede(
    _ waiter: Waiter, on lock: Lock, _ request: AcquireRequest, _ client: any LeaseClient, at moment: Moment
  ) -> AcquireOutcome {
    let wasDetached = waiter.isDetached
    if let old = waiter.client { observers.tell { old.refused(.superseded()) } }
    queues.supersede(waiter, by: request, client: client, now: moment.monotonic)
    let id = waiter.id
    leaseTable.noteRetry(request, id)
    // What its place is for may have become free while no client could be told.
    if wasDetached { for seat in waiter.seats { if let lock = seat.lock { serve(lock, at: moment) } } }
    return .waiting(id, behind: queueNote(of: waiter, at: lock))
  }

  /// A retry that does not wait gets what the place of its first request is for, if that may be had now.
  private func takeOver(
    _ waiter: Waiter, on lock: Lock, _ request: AcquireRequest, at moment: Moment
  ) -> Lease? {
    guard waiter.isDetached, waiter.group == nil, lock.queue.first === waiter else { return nil }
    var patience = TimeSpan.zero
    guard let lease = try? take(lock, waiter.share, request, &patience, at: moment) else { return nil }
    leave(waiter)
    moveUp(lock, wasFirst: true, at: moment)
    return lease
  }

  /// Takes back what a caller's Idempotency-Key got or waits for, and refuses the key from now on.
  ///
  /// - Throws: `draining`, `starting`.
  public func cancel(key: String, of caller: Caller, at moment: Moment) throws(LeaseholdError) -> CancelOutcome {
    guard state == .ready else { throw Self.notServing(state) }
    let key = CallersKey(key, of: caller)
    leaseTable.canceled.insert(key)
    let known = leaseTable.retries(of: key)
    var outcome: CancelOutcome = ([], 0)
    // Before the leases: none of them is to get what these give back.
    for waiter in known.waiters.compactMap({ queues[$0] }) where queues.has(waiter) {
      outcome.waiters += 1
      letGo(waiter, telling: .canceled(), at: moment)
    }
    for lease in known.leases {
      noticeRemoval(below: lease, at: moment)
      guard lease.isHeld else { continue }
      outcome.leases.append(lease.id.ref)
      lease.atLeast = .zero
      end(lease, .released, at: moment)
    }
    return outcome
  }

  // MARK: Connections that break

  /// The time for which the place of a request with an Idempotency-Key is kept when its connection breaks.
  static let placeIsKept = TimeSpan.seconds(2)

  /// Lets a waiter leave its queue whose connection is gone: at once or, where a retry can be told from others, when no
  /// retry has come for ``placeIsKept``.
  ///
  /// Until then it has its place, and no waiter behind it gets what it is for: so a retry finds the place, and the
  /// others wait at most that much longer. Nothing happens when it was granted or refused meanwhile.
  func cancel(_ id: WaiterID, at moment: Moment) {
    guard let waiter = queues[id], let lock = waiter.lock else { return }
    guard waiter.request.idempotencyKey != nil, state == .ready else { return letGo(waiter, at: moment) }
    guard !waiter.isDetached else { return }
    queues.detach(waiter, until: (moment.monotonic + Self.placeIsKept).nanoseconds)
    bumpVersions(of: waiter.seats)
    if let group = waiter.group { _ = serve(group, at: moment) } else { followHead(lock) }
  }

  /// Lets a waiter leave its queue without a lease.
  func letGo(_ waiter: Waiter, telling error: LeaseholdError? = nil, at moment: Moment) {
    guard let lock = waiter.lock else { return }
    let wasFirst = lock.queue.first === waiter
    leave(waiter)
    let why = error?.code ?? .canceled
    observers.left(waiter, why.rawValue, telling: error, at: moment.monotonic.nanoseconds)
    if why == .superseded { observers.counters.superseded += 1 } else { observers.counters.canceled += 1 }
    moveUp(lock, wasFirst: wasFirst, at: moment)
  }
}
