// From reader to writer and back, with the same lease. The new form of the record lies in another cell while the kernel
// changes; a semop that fails frees it.

extension Ledger {
  /// Turns a reader's lease into the only one, or the only one into a reader's.
  ///
  /// Down is done at once. Up may wait, before all waiters of the lock; of two that want up the later can never have
  /// it.
  public func convert(
    _ request: ConvertRequest, client: () -> any LeaseClient, at moment: Moment
  ) -> AcquireOutcome {
    guard state == .ready else { return refuse(Self.notServing(state)) }
    do throws(LeaseholdError) {
      let head = try findHeld(
        request.lease, key: request.lock.key, native: request.lock.native, within: request.caller.confinement,
        at: moment)
      let lease = part(of: head, on: request.lock.key, request.lock.native)
      guard let lock = lease.lock, let share = lock.place.dialect.upgrade(capacity: lock.capacity),
        lock.kind == .readersWriter
      else { return refuse(Self.notConvertible(request.lock.key)) }
      if lease.mode == request.mode { return .granted(converted(head)) }
      guard request.mode == .exclusive else {
        try downgrade(lease, on: lock, at: moment)
        return .granted(converted(head))
      }
      if let other = lease.upgrade ?? lock.queue.first, other.converting != nil {
        return refuse(
          other.converting === lease
            ? Self.alreadyConverting(lease)
            : deadlock(of: lease, with: other, told: request.caller.confinement))
      }
      guard !lock.isDamaged else { throw Self.damaged(lock) }
      if try upgrade(lease, share, on: lock, at: moment) { return .granted(converted(head)) }
      guard lease.isHeld else { return refuse(Self.over(head)) }
      guard request.wait > .zero else {
        observers.counters.busy += 1
        return .refused(locked(lock, at: moment.monotonic))
      }
      return try enqueue(request, lease, share, on: lock, client: client(), at: moment)
    } catch {
      return refuse(error)
    }
  }

  /// The part of a lease on several locks that a name means.
  func part(of head: Lease, on key: LockKey, _ native: NativeRequest?) -> Lease {
    if head.parts.isEmpty || head.key.means(key) { return head }
    return head.parts.first { $0.key.means(key) } ?? head.parts.first { isMeant($0, by: native) } ?? head
  }

  private func converted(_ lease: Lease) -> LeaseSnapshot {
    let answer = snapshot(lease)
    answer.isConverted = true
    return answer
  }

  private func enqueue(
    _ request: ConvertRequest, _ lease: Lease, _ share: Share, on lock: Lock, client: any LeaseClient, at moment: Moment
  ) throws(LeaseholdError) -> AcquireOutcome {
    try checkRoomToWait(request.caller)
    let head = lease.whole
    var asked = AcquireRequest(key: lease.key, ttl: head.ttl, caller: request.caller)
    asked.wait = request.wait
    asked.owner = head.owner
    asked.native = request.lock.native
    asked.holding = request.holding + [head.id]
    let waiter = Waiter(
      id: queues.nextID(), request: asked, share: share, lock: lock, client: client, now: moment.monotonic)
    waiter.converting = lease
    lease.upgrade = waiter
    return try enter([waiter], first: true, at: moment)
  }

  // MARK: Steps

  /// Writes the other form, does the semop, and lets the form count that goes with it; `done` when that is the other.
  private func change(
    _ lease: Lease, to mode: LockMode, units: Int, by semop: (borrowing Form) -> Attempt
  ) throws(LeaseholdError) -> KernelOutcome {
    // A copy of what another program scribbled would pass the next check.
    guard let old = journal.body(of: lease) else { throw Self.scribbled(lease) }
    let form = journal.draftForm(old, at: try reserve(), to: mode, units: units)
    switch semop(form) {
    case .taken(let taken):
      leaseTable.convert(lease, to: mode, units: units, at: journal.replace(lease.cell, by: form, taken))
      if let lock = lease.lock { observers.bumpVersion(of: lock) }
      observers.converted(lease, at: latest)
      return .done
    case .not(let outcome):
      journal.discard(form)
      return outcome
    }
  }

  /// Takes what a reader lacks, now; false when it is not free.
  private func upgrade(
    _ lease: Lease, _ share: Share, on lock: Lock, at moment: Moment
  ) throws(LeaseholdError) -> Bool {
    let whole = lock.share(.exclusive, count: 1).units
    guard lock.hasRoom(for: whole - lease.units) else { return false }
    switch try change(lease, to: .exclusive, units: whole, by: { _ in lockTable.take(share, of: lock) }) {
    case .done: return true
    case .wouldBlock: return false
    case .failed(let failure): throw Self.kernelRefused(failure, doing: "take the lock")
    case .removed:
      setVanished(lock, at: moment)
      return false
    }
  }

  private func downgrade(_ lease: Lease, on lock: Lock, at moment: Moment) throws(LeaseholdError) {
    let outcome = try change(lease, to: .shared, units: 1) { lockTable.giveDown(of: lock, $0) }
    switch outcome {
    case .done: break
    case .removed:
      setVanished(lock, at: moment)
      throw Self.over(lease.whole)
    case .wouldBlock, .failed: throw outcome.mayPass ? Self.refused(outcome) : Self.damaged(lock)
    }
    if !lock.queue.isEmpty { serve(lock, at: moment) }
  }

  // MARK: Waiting

  /// Serves the head of the queue, which wants to be the only one; false when it still has to wait.
  func serveUpgrade(_ waiter: Waiter, _ lease: Lease, on lock: Lock, at moment: Moment) -> Bool {
    do {
      guard try upgrade(lease, waiter.share, on: lock, at: moment) else { return false }
      grantUpgrade(waiter, lease)
    } catch {
      dismiss(waiter, error)
    }
    return true
  }

  /// Serves the head of the queue with what a thread took in the kernel for it.
  func upgradeWaited(_ waiter: Waiter, _ lease: Lease, on lock: Lock) -> KernelOutcome {
    let whole = lock.share(.exclusive, count: 1).units
    let outcome = try? change(lease, to: .exclusive, units: whole) { _ in lockTable.takeWaited(waiter.share, of: lock) }
    if outcome == .done { grantUpgrade(waiter, lease) }
    return outcome ?? .wouldBlock
  }

  private func grantUpgrade(_ waiter: Waiter, _ lease: Lease) {
    leave(waiter)
    tell(waiter, converted(lease.whole))
  }

  /// Tells the waiter that would convert a lease that the lease is over.
  func dismissUpgrade(of lease: Lease) {
    guard let waiter = lease.upgrade else { return }
    dismiss(waiter, Self.over(lease.whole))
  }

  // MARK: After a crash

  /// Returns true when a form of a record counts after a crash in a conversion: the kernel's values agree with it.
  ///
  /// - Parameters:
  ///   - form: The converting record.
  ///   - others: What other leases have of the lock.
  func kernelAgrees(_ form: LeaseRecord, on lock: Lock, others: [LeaseRecord]) -> Bool {
    guard case .values(let values) = lockTable.read(set: lock.set.set),
      let counter = lock.counter(of: .exclusive), values.indices.contains(counter.semaphore)
    else { return false }
    let counting = (others + [form]).filter { counter.counts($0.mode) }
    // Where natives count, too, none has a share beside a writer of ours, and only one writer does without it.
    return counting.reduce(0) { $0 + $1.units } == Int(values[counter.semaphore]) / counter.weight
  }

  // MARK: Refusals

  private static func notConvertible(_ key: LockKey) -> LeaseholdError {
    LeaseholdError(
      .kindMismatch,
      "Lock '\(key)' has no readers: only plain names without a limit, apache: and sharelite: names can be shared. "
        + "Release the lease and acquire what you need.",
      facts: [("key", .text(key.text))])
  }

  private static func scribbled(_ lease: Lease) -> LeaseholdError {
    LeaseholdError(
      .ledgerDamaged,
      "Another program wrote over the record of lease \(lease.id.ref) in the ledger, so it cannot be converted; it "
        + "stays as it is. Release it and acquire what you need, and find who writes shared memory of this user.",
      facts: [("ref", .text(lease.id.ref))])
  }

  private static func alreadyConverting(_ lease: Lease) -> LeaseholdError {
    LeaseholdError(
      .superseded, "Another request of yours waits to convert this lease already; wait for its answer.",
      facts: [("ref", .text(lease.whole.id.ref))])
  }
}
