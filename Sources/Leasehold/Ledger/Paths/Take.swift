/// The outcome of an attempt to take a share.
enum Take: ~Copyable {
  /// It is taken; whether the asked limit was put into force, where the lock has such a thing.
  case taken(Taken, limitApplied: Bool?)
  case not(Obstacle)
}

/// The reason why a share cannot be had now.
enum Obstacle {
  /// Not free.
  case busy
  /// Free, and there is no room to count it; the error is for a request that does not wait.
  case full(LeaseholdError)
  /// Perhaps free: a native program is in the middle of something that takes microseconds, unless it is preempted.
  case retrySoon
  /// The set is gone.
  case removed
  /// Never, or not now for another reason.
  case refused(LeaseholdError)

  /// An attempt that was not made, or failed.
  init(_ outcome: KernelOutcome, doing what: String = "take the lock") {
    switch outcome {
    case .done, .wouldBlock: self = .busy
    case .removed: self = .removed
    case .failed(let failure): self = .refused(Ledger.kernelRefused(failure, doing: what))
    }
  }
}

extension Ledger {
  /// Takes a share in the kernel, without waiting.
  @inline(__always)
  func take(_ share: Share, of lock: Lock, for request: AcquireRequest, _ draft: borrowing Draft) -> Take {
    lock.place.isOwn ? takeNow(share, of: lock) : takeNatively(share, of: lock, for: request, draft.marks([0]))
  }

  @inline(__always)
  private func takeNow(_ share: Share, of lock: Lock) -> Take {
    if lock.terms != nil, !collect(lock) { return .not(.busy) }
    return switch lockTable.take(share, of: lock) {
    case .taken(let taken): .taken(taken, limitApplied: lock.place.isPath ? lock.wasJustMade : nil)
    case .not(let outcome): .not(Obstacle(outcome))
    }
  }

  /// Takes a share of a native lock, for records that are not marked as held yet.
  func takeNatively(_ share: Share, of lock: Lock, for request: AcquireRequest, _ marks: Marks) -> Take {
    switch lock.place.layout {
    case .php: takePHP(share, of: lock, for: request, marks)
    case .apache: takeApache(share, of: lock, marks)
    case .named, .counter, .operations: lock.isWithinLimit(share.units) ? takeNow(share, of: lock) : .not(.busy)
    }
  }

  /// The error of an operation that the kernel did not do, for whatever reason.
  static func refused(_ outcome: KernelOutcome, doing what: String = "take the lock") -> LeaseholdError {
    if case .failed(let failure) = outcome { return kernelRefused(failure, doing: what) }
    return kernelRefused(KernelFailure(.wouldBlock), doing: what)
  }

  /// The number of times that a take is tried anew when PHP was in the middle of something, each a few microseconds
  /// later.
  private static let phpAttempts = 16

  /// Takes a share of a `php:` lock: as the first, with the limit put into force, or beside handles that are counted.
  ///
  /// One look at the whole set tells which handles are counted and what is free, so that PHP's own steps, which its
  /// guard covers, are never taken for a lock that is held.
  private func takePHP(
    _ share: Share, of lock: Lock, for request: AcquireRequest, _ marks: Marks
  ) -> Take {
    // `sysv:` names take what is there and put no limit into force.
    let keepsValue = request.native?.dialect == .sysv
    guard share.units <= PHPDialect.unitsMax else {
      return .not(.refused(Self.neverCounted(share.units, unitsMax: PHPDialect.unitsMax)))
    }
    for _ in 0..<Self.phpAttempts {
      let reading = readCounts(of: lock)
      guard case .values(let values) = reading else { return .not(Obstacle(reading.outcome)) }
      let state = PHPDialect.State(values, leases: lock.unitsOut)
      // Written in this very moment: the next look ends those leases.
      guard lock.counter(of: share.mode)?.isShort(leaving: state.handles) == false else { return .not(.retrySoon) }
      if state.isGuarded { continue }
      let limit = keepsValue ? state.value : request.limit ?? 1
      if state.isAlone, share.units > limit {
        return .not(keepsValue ? .busy : .refused(.countExceeds(share.units, limit)))
      }
      if !state.isAlone, state.value < share.units || !lock.isWithinLimit(share.units) { return .not(.busy) }
      if let full = full(lock, for: share, values) { return .not(.full(full)) }
      mark(marks, taking: share, of: lock, values, setting: limit)
      let attempt =
        state.isAlone
        ? lockTable.takeFirst(share, of: lock, limit: limit, value: state.value) : lockTable.take(share, of: lock)
      switch consume attempt {
      case .taken(let taken):
        if state.isAlone { lock.capacity = limit }
        return .taken(taken, limitApplied: keepsValue ? nil : state.isAlone)
      case .not(let outcome) where outcome.isOutOfRange: continue
      case .not(let outcome): return .not(Obstacle(outcome))
      }
    }
    return .not(.retrySoon)
  }

  /// Takes a share of an `apache:` lock, if there is room to count it beside the module's own holders.
  private func takeApache(_ share: Share, of lock: Lock, _ marks: Marks) -> Take {
    let reading = readCounts(of: lock)
    guard case .values(let values) = reading else { return .not(Obstacle(reading.outcome)) }
    if let writer = lock.place.dialect.companion, values[writer] > 0 { return .not(.busy) }
    if let full = full(lock, for: share, values) { return .not(.full(full)) }
    mark(marks, taking: share, of: lock, values)
    switch lockTable.take(share, of: lock) {
    case .taken(let taken): return .taken(taken, limitApplied: nil)
    case .not(.failed(let failure)) where failure.errno == .outOfRange: return .not(.retrySoon)
    case .not(let outcome): return .not(Obstacle(outcome))
    }
  }

  /// The values of a native set in which a lock counts.
  func readCounts(of lock: Lock) -> SetReading { lock.place.native.map { lockTable.read($0) } ?? .gone }

  /// The error of a share that cannot be counted now: natives are too many, or what is left of the range of values does
  /// not suffice.
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

  /// Opens a `php:` set as `sem_get` does: puts the limit into force when no handle is counted.
  ///
  /// Answers whether it did; `nil` when the set is gone.
  func openPHP(_ set: NativeSet, limit: Int) -> Bool? {
    for _ in 0..<Self.phpAttempts {
      guard case .values(let values) = lockTable.read(set) else { return nil }
      let state = PHPDialect.State(values, leases: 0)
      if !state.isAlone { return false }
      if state.isGuarded { continue }
      switch lockTable.openPHP(set.id.set, limit: limit, value: state.value) {
      case .done: return true
      case .removed: return nil
      case .wouldBlock, .failed: continue
      }
    }
    return false
  }
}

extension SetReading {
  /// The outcome of an operation of which no more is known.
  fileprivate var outcome: KernelOutcome {
    switch self {
    case .gone: .removed
    case .unreadable: .failed(KernelFailure(.accessDenied))
    case .values: .done
    }
  }
}
