/// How an attempt to take a share went.
enum TakeOutcome {
  /// It is taken; whether the asked limit was put into force, where the lock has such a thing.
  case taken(limitApplied: Bool?)
  /// Not free.
  case busy
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
  private func takePHP(_ share: Share, of lock: Lock, for request: AcquireRequest) -> TakeOutcome {
    let (set, dialect) = (lock.set.set, PHPDialect())
    for _ in 0..<Self.phpAttempts {
      let usage = kernel.value(set, PHPDialect.usageSemaphore)
      if let usage, PHPDialect.handles(usage: usage) > PHPDialect.handlesMaximum {
        return .refused(Self.tooManyHandles(lock))
      }
      let value = kernel.value(set, dialect.semaphore)
      let isFirst = usage == 0
      // `sysv:` names take what is there and put no limit into force.
      let keepsValue = request.native?.dialect == .sysv
      let limit = keepsValue ? value ?? 0 : request.limit ?? 1
      if isFirst, share.units > limit {
        return keepsValue ? .busy : .refused(Self.countExceeds(share.units, limit))
      }
      let operations =
        isFirst ? dialect.takeFirst(share, limit: limit, value: value ?? 0) : dialect.take(share)
      switch kernel.operate(set, operations) {
      case .done:
        if isFirst { lock.capacity = limit }
        return .taken(limitApplied: keepsValue ? nil : isFirst)
      case .wouldBlock where !isFirst && (value ?? 0) < share.units: return .busy
      case .wouldBlock: continue
      case .removed: return .removed
      case .failed(let failure): return .refused(Self.takeRefused(failure, lock))
      }
    }
    return .busy
  }

  /// Opens a `php:` set as `sem_get` does: puts the limit into force when nobody is counted.
  ///
  /// Answers whether it did; `nil` when the set is gone.
  func openPHP(_ set: Int32, limit: Int) -> Bool? {
    let dialect = PHPDialect()
    for _ in 0..<Self.phpAttempts {
      guard let usage = kernel.value(set, PHPDialect.usageSemaphore),
        let value = kernel.value(set, dialect.semaphore)
      else { return nil }
      if usage > 0 { return false }
      switch kernel.operate(set, dialect.open(limit: limit, value: value)) {
      case .done: return true
      case .removed: return nil
      case .wouldBlock, .failed: continue
      }
    }
    return false
  }
}
