public import SysVTypes

// Raw operations on a lease: SEM_UNDO with a clock.
//
// The order of steps is that of every set without a ledger of its own, but that the operations are done with SEM_UNDO
// before the ledger is asked.

extension Ledger {
  /// Puts operations on a lease that were just done, those to be taken back with SEM_UNDO.
  ///
  /// When there is no lease to be had they are taken back.
  ///
  /// - Throws: `draining`, `starting`, `idempotency-mismatch`, the end of a lease that is repeated (`expired` and so
  ///   on), `caller-limit`, `ledger-full`, `kernel-limit`, `set-removed`; then the operations are taken back.
  public func lease(
    _ request: OperationRequest, on set: BankID, count: Int, waited: TimeSpan, at moment: Moment
  ) throws(LeaseholdError) -> LeaseSnapshot {
    let adjustments = SemaphoreOperation.adjustments(request.steps.filter(\.undoes))
    let (lock, outcome): (Lock, KernelOutcome)
    do throws(LeaseholdError) {
      guard state == .ready else { throw Self.notServing(state) }
      if let known = try replay(request, on: set.set) {
        // Two requests with one key were under way at once.
        takeBack(request.steps, on: set.set)
        return known
      }
      lock = try operationsLock(of: set, count: count, at: moment)
      var asked = AcquireRequest(key: lock.key, ttl: request.ttl, caller: request.caller)
      asked.owner = request.owner
      asked.idempotencyKey = request.idempotencyKey
      let draft = try prepare(
        asked, lock: lock, share: Share(.exclusive, units: 1), waited: waited,
        adjustments: adjustments, fingerprint: request.idempotencyKey == nil ? nil : request.fingerprint, at: moment)
      let armed = journal.arm(draft, lockTable.claim())
      switch lockTable.makePermanent(adjustments, of: lock, armed) {
      case .taken(let taken):
        let lease = commit(armed.draft, taken, for: asked, on: lock)
        lease.kind = .operations(adjustments)
        return snapshot(lease)
      case .not(let refusal):
        journal.discard(armed.draft)
        outcome = refusal
      }
    } catch {
      takeBack(request.steps, on: set.set)
      observers.counters.refused += 1
      throw error
    }
    observers.counters.refused += 1
    if case .failed(let failure) = outcome { throw Self.kernelRefused(failure, doing: "keep the operations") }
    setVanished(lock, at: moment)
    throw Self.setRemoved(lock.key, at: moment)
  }

  /// Answers a retry: the same lease.
  ///
  /// `nil` when the key is new.
  ///
  /// - Throws: `idempotency-mismatch`; `expired`, `released`, `broken`, `rewritten`, `undelivered` or `set-removed`
  ///   when the lease is over.
  public func replay(_ request: OperationRequest, on set: Int32) throws(LeaseholdError) -> LeaseSnapshot? {
    guard let key = request.idempotencyKey else { return nil }
    let scope = IdempotencyScope(lock: Self.operationsKey(set), key: key, door: request.caller.door)
    guard !leaseTable.canceled.contains(scope.key) else { throw .canceled() }
    guard case .lease(let lease)? = leaseTable.retry(scope) else { return nil }
    guard lease.fingerprint == request.fingerprint else { throw .idempotencyMismatch() }
    guard lease.isHeld else { throw Self.over(lease) }
    return replayed(lease, to: request.caller)
  }

  static func operationsKey(_ set: Int32) -> LockKey { LockKey(trusted: "op:id:\(set)") }

  /// The lock that the leases on operations of a set stand on: a lock that no caller acquires and no list shows.
  private func operationsLock(of set: BankID, count: Int, at moment: Moment) throws(LeaseholdError) -> Lock {
    if let old = lockTable.setReplaced(by: set) { setVanished(old.id.set, at: moment) }
    let number = LockLayout.operationsNumber
    if let known = lockTable.natives[set.set]?.locks[number] { return known }
    return try makeLock(
      Self.operationsKey(set.set), .operations, number, on: lockTable.adoptSet(set, count: count), capacity: nil,
      at: moment)
  }

  /// Takes operations back that were done and get no lease.
  private func takeBack(_ steps: [SemaphoreOperation], on set: Int32) {
    if !lockTable.takeBack(steps, on: set) { observers.counters.undoFailures += 1 }
  }
}

extension OperationRequest {
  /// A number that differs, for all practical purposes, when anything but the wait differs: tells a retry from another
  /// request.
  var fingerprint: UInt64 {
    var hash = RequestHash()
    for step in steps {
      let flags: UInt64 = (step.refusesToWait ? 1 : 0) | (step.undoes ? 2 : 0)
      hash.mix(UInt64(step.semaphore) | UInt64(UInt16(bitPattern: step.delta)) << 16 | flags << 32)
    }
    hash.mix(UInt64(bitPattern: ttl.nanoseconds))
    hash.mix(owner ?? "")
    return hash.fingerprint(of: caller)
  }
}

extension SemaphoreOperation {
  /// The first of some steps that would have to wait where a set has these values; `nil` for none.
  package static func firstToWait(
    _ steps: [SemaphoreOperation], _ values: [some BinaryInteger]
  ) -> SemaphoreOperation? {
    var values = values.map { Int($0) }
    for step in steps {
      let number = Int(step.semaphore)
      guard values.indices.contains(number) else { return nil }
      if step.delta == 0 ? values[number] != 0 : values[number] + Int(step.delta) < 0 { return step }
      values[number] += Int(step.delta)
    }
    return nil
  }

  /// The step as a request writes it: `0:-1:undo`.
  public var text: String {
    "\(semaphore):\(delta)" + (refusesToWait ? ":nowait" : "") + (undoes ? ":undo" : "")
  }

  /// The steps that take others back, semaphore by semaphore: the opposite of all that they add.
  static func adjustments(_ steps: [SemaphoreOperation]) -> [SemaphoreOperation] {
    var sums: [UInt16: Int] = [:]
    for step in steps { sums[step.semaphore, default: 0] -= Int(step.delta) }
    return sums.filter { $0.value != 0 }.sorted { $0.key < $1.key }.map { semaphore, delta in
      SemaphoreOperation(semaphore: semaphore, delta: Int16(clamping: delta), flags: .nowait)
    }
  }
}

extension [SemaphoreOperation] {
  /// The adjustments of a lease as bytes of its text: semaphore and delta, two bytes each, low byte first.
  var recordBytes: [UInt8] {
    reduce(into: []) { bytes, operation in
      bytes.append(operation.semaphore, bytes: 2)
      bytes.append(operation.delta, bytes: 2)
    }
  }

  /// Reads the adjustments of a lease.
  init(recordBytes bytes: [UInt8]) {
    self = stride(from: 0, to: bytes.count - 3, by: LeaseRecord.adjustmentBytes).map { place in
      SemaphoreOperation(
        semaphore: UInt16(bytes.number(at: place, bytes: 2)),
        delta: Int16(truncatingIfNeeded: bytes.number(at: place + 2, bytes: 2)), flags: .nowait)
    }
  }
}
