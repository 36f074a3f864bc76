/// How an attempt to take a share went.
enum TakeOutcome {
  /// It is taken; whether the asked limit was put into force, where the lock has such a thing.
  case taken(limitApplied: Bool?)
  /// Not free.
  case busy
  /// Free, and there is no room to count it; the error says so to who does not wait.
  case full(LeaseholdError)
  /// Perhaps free: a native program is in the middle of something that takes microseconds, unless it is preempted.
  case unsettled
  /// The set is gone.
  case removed
  /// Never, or not now for another reason.
  case refused(LeaseholdError)
}

extension Ledger {
  /// Takes a share in the kernel, without waiting.
  @inline(__always)
  func take(
    _ share: Share, of lock: Lock, for request: AcquireRequest, _ prepared: PreparedLease
  ) -> TakeOutcome {
    lock.place.isOwn
      ? takeNow(share, of: lock) : takeNatively(share, of: lock, for: request, [prepared])
  }

  @inline(__always)
  private func takeNow(_ share: Share, of lock: Lock) -> TakeOutcome {
    switch kernel.operate(lock.set.set, lock.place.take(share)) {
    case .done: .taken(limitApplied: limitApplied(lock))
    case .wouldBlock: .busy
    case .removed: .removed
    case .failed(let failure): .refused(Self.kernelRefused(failure, doing: "take the lock"))
    }
  }

  /// Takes a share of a native lock, for records that are not committed yet.
  func takeNatively(
    _ share: Share, of lock: Lock, for request: AcquireRequest, _ prepared: [PreparedLease]
  ) -> TakeOutcome {
    let outcome: TakeOutcome
    switch lock.place {
    case .php: outcome = takePHP(share, of: lock, for: request, prepared)
    case .apache: outcome = takeApache(share, of: lock, prepared)
    case .own, .counter, .operations: return lock.isWithinLimit(share.units) ? takeNow(share, of: lock) : .busy
    }
    if case .taken = outcome { return outcome }
    unmark(prepared)
    return outcome
  }

  /// Of `path:` locks: whether the set was made with the limit that is asked for now, as far as that is known.
  private func limitApplied(_ lock: Lock) -> Bool? {
    lock.place.isPath ? lock.wasJustMade : nil
  }

  /// How often a take is tried anew when PHP was in the middle of something, each a few microseconds later.
  private static let phpAttempts = 16

  /// Takes a share of a `php:` lock: as the first, with the limit put into force, or beside those who are counted.
  ///
  /// Who is counted and what is free is told by one look at the whole set, so that PHP's own steps, which its guard
  /// covers, are never taken for a lock that is held.
  private func takePHP(
    _ share: Share, of lock: Lock, for request: AcquireRequest, _ prepared: [PreparedLease]
  ) -> TakeOutcome {
    let (set, dialect) = (lock.set.set, PHPDialect())
    // `sysv:` names take what is there and put no limit into force.
    let keepsValue = request.native?.dialect == .sysv
    guard share.units <= PHPDialect.unitsMax else {
      return .refused(Self.neverCounted(share.units, most: PHPDialect.unitsMax))
    }
    for _ in 0..<Self.phpAttempts {
      let values: [UInt16]
      switch readCounts(of: lock) {
      case .success(let found): values = found
      case .failure(let obstacle): return obstacle.outcome
      }
      let state = PHPDialect.State(values, leases: lock.unitsOut)
      // Written in this very moment: the next look ends those leases.
      guard lock.counter(of: share.mode)?.isShort(leaving: state.handles) == false else { return .unsettled }
      if state.isGuarded { continue }
      let limit = keepsValue ? state.value : request.limit ?? 1
      if state.isAlone, share.units > limit {
        return keepsValue ? .busy : .refused(Self.countExceeds(share.units, limit))
      }
      if !state.isAlone, state.value < share.units || !lock.isWithinLimit(share.units) { return .busy }
      if let full = full(lock, for: share, values) { return .full(full) }
      mark(prepared, taking: share, of: lock, values, setting: limit)
      let operations =
        state.isAlone ? dialect.takeFirst(share, limit: limit, value: state.value) : dialect.take(share)
      switch kernel.operate(set, operations) {
      case .done:
        if state.isAlone { lock.capacity = limit }
        return .taken(limitApplied: keepsValue ? nil : state.isAlone)
      case .wouldBlock: continue
      case .removed: return .removed
      case .failed(let failure) where failure.errno == .outOfRange: continue
      case .failed(let failure): return .refused(Self.kernelRefused(failure, doing: "take the lock"))
      }
    }
    return .unsettled
  }

  /// Takes a share of an `apache:` lock, if there is room to count it beside the module's own holders.
  private func takeApache(_ share: Share, of lock: Lock, _ prepared: [PreparedLease]) -> TakeOutcome {
    switch readCounts(of: lock) {
    case .failure(let obstacle): return obstacle.outcome
    case .success(let values):
      if let writer = lock.place.dialect.companion, values[writer] > 0 { return .busy }
      if let full = full(lock, for: share, values) { return .full(full) }
      mark(prepared, taking: share, of: lock, values)
    }
    let outcome = kernel.operate(lock.set.set, lock.place.take(share))
    return switch outcome {
    case .done: .taken(limitApplied: nil)
    case .wouldBlock: .busy
    case .removed: .removed
    case .failed(let failure) where failure.errno == .outOfRange: .unsettled
    case .failed(let failure): .refused(Self.kernelRefused(failure, doing: "take the lock"))
    }
  }

  /// Why the values could not be had.
  struct Unread: Error {
    let outcome: TakeOutcome
  }

  /// The values of a native set in which a lock counts.
  func readCounts(of lock: Lock) -> Result<[UInt16], Unread> {
    guard let native = lock.place.native else { return .failure(Unread(outcome: .removed)) }
    return switch read(native) {
    case .gone: .failure(Unread(outcome: .removed))
    case .unreadable:
      .failure(Unread(outcome: .refused(Self.kernelRefused(KernelFailure(.accessDenied), doing: "read the set"))))
    case .values(let values): .success(values)
    }
  }

  /// Why a share cannot be counted now beside all who are: natives are too many, or what is left of the range of values
  /// does not suffice.
  func full(_ lock: Lock, for share: Share, _ values: [UInt16]) -> LeaseholdError? {
    guard let counter = lock.counter(of: share.mode) else { return nil }
    return full(lock, for: share, counter, value: Int(values[counter.semaphore]))
  }

  /// The same, of a value that is known.
  func full(_ lock: Lock, for share: Share, _ counter: LeaseCounter, value: Int) -> LeaseholdError? {
    let natives = lock.natives(in: counter, value: value)
    if natives > LeaseCounter.roomForNatives { return Self.tooManyNatives(lock, counter, natives) }
    return counter.hasRoom(for: share.units, beside: value) ? nil : Self.countFull(lock, counter, value: value)
  }

  /// Opens a `php:` set as `sem_get` does: puts the limit into force when nobody is counted.
  ///
  /// Answers whether it did; `nil` when the set is gone.
  func openPHP(_ set: Int32, limit: Int) -> Bool? {
    for _ in 0..<Self.phpAttempts {
      guard case .values(let values) = kernel.read(set), values.count == PHPDialect.semaphores else { return nil }
      let state = PHPDialect.State(values, leases: 0)
      if !state.isAlone { return false }
      if state.isGuarded { continue }
      switch kernel.operate(set, PHPDialect().open(limit: limit, value: state.value)) {
      case .done: return true
      case .removed: return nil
      case .wouldBlock, .failed: continue
      }
    }
    return false
  }
}
