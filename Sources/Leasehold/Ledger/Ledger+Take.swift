/// How an attempt to take a share went.
enum TakeOutcome {
  /// It is taken; whether the asked limit was put into force, where the lock has such a thing.
  case taken(limitApplied: Bool?)
  /// Not free.
  case busy
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
  func take(_ share: Share, of lock: Lock, for request: AcquireRequest) -> TakeOutcome {
    if case .php = lock.layout { return takePHP(share, of: lock, for: request) }
    switch kernel.operate(lock.set.set, lock.dialect.take(share)) {
    case .done: return .taken(limitApplied: limitApplied(lock))
    case .wouldBlock: return .busy
    case .removed: return .removed
    case .failed(let failure): return .refused(Self.takeRefused(failure, lock))
    }
  }

  /// Of `path:` locks: whether the set was made with the limit that is asked for now, as far as that is known.
  private func limitApplied(_ lock: Lock) -> Bool? {
    guard case .counter(_, isPath: true) = lock.layout else { return nil }
    return lock.wasJustMade
  }

  /// How often a take is tried anew when PHP was in the middle of something, each a few microseconds later.
  private static let phpAttempts = 16

  /// Takes a share of a `php:` lock: as the first, with the limit put into force, or beside those who are counted.
  ///
  /// Who is counted and what is free is told by one look at the whole set, so that PHP's own steps, which its guard
  /// covers, are never taken for a lock that is held.
  private func takePHP(_ share: Share, of lock: Lock, for request: AcquireRequest) -> TakeOutcome {
    let (set, dialect) = (lock.set.set, PHPDialect())
    // `sysv:` names take what is there and put no limit into force.
    let keepsValue = request.native?.dialect == .sysv
    for _ in 0..<Self.phpAttempts {
      let state: PHPDialect.State
      switch kernel.read(set) {
      case .gone: return .removed
      case .unreadable: return .refused(Self.kernelRefused(KernelFailure(errno: "EACCES"), doing: "read the set"))
      case .values(let values): state = PHPDialect.State(values)
      }
      guard state.handles <= PHPDialect.handlesMaximum else { return .refused(Self.tooManyHandles(lock)) }
      guard state.unitsOut + share.units <= PHPDialect.unitsMaximum else {
        return .refused(Self.takeRefused(KernelFailure(errno: "ERANGE"), lock))
      }
      if state.isGuarded { continue }
      let limit = keepsValue ? state.value : request.limit ?? 1
      if state.isAlone, share.units > limit {
        return keepsValue ? .busy : .refused(Self.countExceeds(share.units, limit))
      }
      if !state.isAlone, state.value < share.units { return .busy }
      let operations =
        state.isAlone ? dialect.takeFirst(share, limit: limit, value: state.value) : dialect.take(share)
      switch kernel.operate(set, operations) {
      case .done:
        if state.isAlone { lock.capacity = limit }
        return .taken(limitApplied: keepsValue ? nil : state.isAlone)
      case .wouldBlock: continue
      case .removed: return .removed
      case .failed(let failure): return .refused(Self.takeRefused(failure, lock))
      }
    }
    return .unsettled
  }

  /// Opens a `php:` set as `sem_get` does: puts the limit into force when nobody is counted.
  ///
  /// Answers whether it did; `nil` when the set is gone.
  func openPHP(_ set: Int32, limit: Int) -> Bool? {
    for _ in 0..<Self.phpAttempts {
      guard case .values(let values) = kernel.read(set) else { return nil }
      let state = PHPDialect.State(values)
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
