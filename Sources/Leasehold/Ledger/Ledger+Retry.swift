// A request that comes again with its Idempotency-Key, and the place that waits for it.

extension Ledger {
  /// Answers a retry: the same lease, or the same place in the queue.
  ///
  /// `nil` when the key is new.
  func replay(
    _ request: AcquireRequest, fingerprint: UInt64, client: () -> any LeaseClient, at moment: Moment
  ) -> AcquireOutcome? {
    guard let scope = IdempotencyScope(request), let retry = leaseTable.retry(scope) else { return nil }
    switch retry {
    case .lease(let lease):
      guard lease.fingerprint == fingerprint else { return refuse(Self.idempotencyMismatch()) }
      guard lease.isHeld else { return refuse(Self.over(lease)) }
      bind(lease, to: request.caller.connection, and: nil)
      if let process = request.process, let error = rebind(lease, with: process, at: moment) { return refuse(error) }
      lease.peer = request.caller.peer
      lease.told &+= 1
      counters.replayed += 1
      var answer = snapshot(lease)
      answer.replayed = true
      return .granted(answer)
    case .waiter(let id):
      guard let waiter = waiters[id] else { return nil }
      guard (waiter.group?.fingerprint ?? waiter.request.fingerprint) == fingerprint else {
        return refuse(Self.idempotencyMismatch())
      }
      guard let lock = waiter.lock else { return refuse(Self.idempotencyMismatch()) }
      guard request.wait > .zero else {
        if let lease = takeOver(waiter, on: lock, request, at: moment) { return .granted(snapshot(lease)) }
        counters.busy += 1
        return .refused(locked(lockInTheWay(of: waiter) ?? lock, at: moment.monotonic))
      }
      return supersede(waiter, on: lock, request, client(), at: moment)
    }
  }

  private func supersede(
    _ waiter: Waiter, on lock: Lock, _ request: AcquireRequest, _ client: any LeaseClient, at moment: Moment
  ) -> AcquireOutcome {
    let wasDetached = waiter.isDetached
    if let old = waiter.client { notices.append(.refused(old, Self.superseded())) }
    waiters[waiter.id] = nil
    waiterDeadlines.remove(waiter)
    forgetHolding(of: waiter)
    var successors: [Waiter] = []
    for seat in waiter.seats {
      lastWaiterID += 1
      guard let its = seat === waiter ? lock : seat.lock else { continue }
      var asked = seat === waiter ? request : seat.request
      (asked.wait, asked.caller) = (request.wait, request.caller)
      let successor = Waiter(
        id: lastWaiterID, request: asked, share: seat.share, lock: its, client: client, now: moment.monotonic)
      its.queue.replace(seat, with: successor)
      seat.lock = nil
      successors.append(successor)
    }
    let successor = successors[0]
    if let group = waiter.group {
      let fresh = WaiterGroup(seats: successors, wants: group.wants, fingerprint: group.fingerprint)
      fresh.blockedOn = group.blockedOn
      for seat in group.seats { seat.group = nil }
    }
    waiterDeadlines.insert(successor)
    waiters[successor.id] = successor
    waiter.caller.account?.add(-1, .waiters)
    successor.caller.account?.add(1, .waiters)
    leaseTable.noteRetry(request, successor.id)
    // What its place is for may have become free while nobody could be told.
    if wasDetached { for seat in successor.seats { if let lock = seat.lock { serve(lock, at: moment) } } }
    return .waiting(successor.id, behind: queueNote(of: successor, at: lock))
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

  // MARK: Connections that break

  /// How long the place of a request with an Idempotency-Key is kept when its connection breaks.
  static let placeIsKept = TimeSpan.seconds(2)

  /// The connection of a waiter is gone: it leaves its queue, at once or, where a retry can be told from others, when
  /// no retry has come for ``placeIsKept``.
  ///
  /// Until then it has its place, and nobody behind it gets what it is for: so a retry finds the place, and the others
  /// wait at most that much longer. Nothing happens when it was granted or refused meanwhile.
  func cancel(_ id: WaiterID, at moment: Moment) {
    guard let waiter = waiters[id], let lock = waiter.lock else { return }
    guard waiter.request.idempotencyKey != nil, state == .ready else { return letGo(waiter, at: moment) }
    guard !waiter.isDetached else { return }
    for seat in waiter.seats { seat.client = nil }
    waiter.due = min(waiter.due, (moment.monotonic + Self.placeIsKept).nanoseconds)
    waiterDeadlines.moved(waiter)
    for seat in waiter.seats { if let lock = seat.lock { touch(lock) } }
    if let group = waiter.group { _ = serve(group, at: moment) } else { arrangeKernelWait(lock) }
  }

  /// A waiter that nobody will hear of leaves its queue.
  func letGo(_ waiter: Waiter, at moment: Moment) {
    guard let lock = waiter.lock else { return }
    let wasFirst = lock.queue.first === waiter
    leave(waiter)
    note(.left, waiter, "canceled", at: moment.monotonic.nanoseconds)
    counters.canceled += 1
    moveUp(lock, wasFirst: wasFirst, at: moment)
  }
}
