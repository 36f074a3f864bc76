// The words of every refusal, in one place. Each says what to do.

extension Ledger {
  static func notServing(_ state: ServiceStatus.State) -> LeaseholdError {
    state == .draining
      ? .draining()
      : LeaseholdError(.starting, "The service is still recovering its ledger. Try again.", retryAfter: .seconds(1))
  }

  static func checkCount(_ request: AcquireRequest) throws(LeaseholdError) {
    guard let limit = request.limit else {
      guard request.count == 1 else {
        throw LeaseholdError(
          .countExceedsLimit,
          "A lock without 'limit' has one place; give limit=\(request.count) or more, or leave 'count' out.",
          facts: [("count", .number(Int64(request.count))), ("limit", .number(1))])
      }
      return
    }
    guard request.count <= limit else { throw .countExceeds(request.count, limit) }
  }

  static func mismatch(_ lock: Lock, _ request: AcquireRequest) -> LeaseholdError {
    switch (lock.kind, request.kind) {
    case (.counting, .readersWriter) where lock.isPaused:
      LeaseholdError(
        .kindMismatch,
        "Lock '\(lock.key)' is paused (limit=0), which is for callers that give a 'limit': with it, and wait=10s, "
          + "you queue for it. Without one, ask again when it has another limit or was removed.",
        facts: [("kind", .text("counting")), ("limit", .number(0))])
    case (.counting(let limit), .readersWriter) where lock.isPinned:
      LeaseholdError(
        .kindMismatch,
        "Lock '\(lock.key)' has a limit that an operator set; ask with a 'limit', whichever you like: \(limit) counts.",
        facts: [("kind", .text("counting")), ("limit", .number(Int64(limit)))])
    case (.slots, _), (_, .slots):
      LeaseholdError(.kindMismatch, "Lock '\(lock.key)' is in use as another kind of lock; wait until nobody uses it.")
    default: .mismatch(lock.key, lock.kind, request.kind)
    }
  }

  func locked(_ lock: Lock, at now: MonotonicInstant) -> LeaseholdError {
    contended(.locked, lock, at: now) {
      .contention($0, "; ask with wait=10s to queue for it, or try again later")
    }
  }

  func notAdded(_ lock: Lock, at now: MonotonicInstant) -> LeaseholdError {
    contended(.locked, lock, at: now) {
      .contention(
        $0, ", so nothing was added, and the lease is as it was; try again later, or release it and wait for all")
    }
  }

  func waitTimedOut(_ lock: Lock, after wait: TimeSpan, at now: MonotonicInstant) -> LeaseholdError {
    contended(.waitTimeout, lock, at: now) { hindrance in
      .sentence(
        "Lock '\(lock.key)' was not to be had within \(wait.milliseconds) ms: it \(hindrance); ask again to queue "
          + "anew.")
    }
  }

  func queueFull(_ lock: Lock, _ limit: String, _ waitersMax: Int, at now: MonotonicInstant) -> LeaseholdError {
    contended(.queueFull, lock, at: now) { hindrance in
      .sentence("Lock '\(lock.key)' \(hindrance), and \(waitersMax) or more wait already (\(limit)); try again later.")
    }.adding([("limit_name", .text(limit)), ("maximum_waiters", .number(Int64(waitersMax)))])
  }

  func inUse(_ lock: Lock, at now: MonotonicInstant) -> LeaseholdError {
    contended(.inUse, lock, at: now, mayPass: false) { hindrance in
      lock.isIdle
        ? .contention(
          "is held by processes that did not come through this service",
          "; end them first (see 'sysv' and ipcs -s -i)")
        : .contention(hindrance, "; wait until nobody has or wants it, or give force=true to end its leases")
    }
  }

  private func contended(
    _ code: LeaseholdError.Code, _ lock: Lock, at now: MonotonicInstant, mayPass: Bool = true,
    _ wording: (_ hindrance: StaticString) -> LeaseholdError.Wording
  ) -> LeaseholdError {
    let shown = contention(at: lock)
    let next = lock.holders.prefix(64).lazy.map(\.due).filter { $0 > 0 }.min() ?? 0
    let left = TimeSpan(nanoseconds: next - now.nanoseconds)
    return LeaseholdError(
      code, wording(hindrance(of: lock, shown, isForAll: !mayPass)), contention: shown,
      retryAfter: mayPass ? max(.seconds(1), next == 0 ? .seconds(1) : left) : nil)
  }

  static func boundToProcess(_ lease: Lease) -> LeaseholdError {
    LeaseholdError(
      .invalidParameter,
      "Lease \(lease.id.ref) is bound to a process and ends with that, not with a connection; transfer it to bind it "
        + "to something else.",
      facts: [("parameter", .text("id")), ("ref", .text(lease.id.ref))])
  }

  static func hidden(_ scalar: Unicode.Scalar, at offset: Int) -> LeaseholdError {
    let digits = String(scalar.value, radix: 16, uppercase: true)
    let code = "U+" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    let name = scalar.properties.name.map { " (\($0))" } ?? ""
    return LeaseholdError(
      .badKey,
      "A new lock's name must not hold characters that nobody sees: at byte \(offset) there is \(code)\(name), which "
        + "would make it look like another name. Leave it out.",
      facts: [("parameter", .text("key")), ("character", .text(code)), ("offset", .number(Int64(offset)))])
  }

  static func endlessRenewal() -> LeaseholdError {
    LeaseholdError(
      .outOfRange, "Only a lease that is bound to a connection or a process may do without a deadline; give a ttl.",
      facts: [("parameter", .text("ttl"))])
  }

  static func ledgerFull(_ capacity: Int) -> LeaseholdError {
    LeaseholdError(
      .ledgerFull,
      "The ledger holds \(capacity) leases or records, its maximum; release some, or start with a larger --max-leases.",
      facts: [("limit", .text("max-leases")), ("value", .number(Int64(capacity)))], retryAfter: .seconds(1))
  }

  static func kernelRefused(_ failure: KernelFailure, doing what: String) -> LeaseholdError {
    var facts: [LeaseholdError.Fact] = [("errno", .text(failure.errno.name))]
    if let limit = failure.limit {
      facts += [("limit", .text(limit.name.rawValue)), ("value", .number(Int64(limit.value)))]
    }
    if failure.errno == .accessDenied || failure.errno == .notPermitted {
      return LeaseholdError(
        .permissionDenied,
        "The kernel does not let this service \(what) (\(failure.errno.name)); see the set's owner and mode.",
        facts: facts)
    }
    let limit = failure.limit.map { ", limit \($0.name.rawValue) = \($0.value)" } ?? ""
    return LeaseholdError(
      .kernelLimit, "The kernel refused to \(what): \(failure.errno.name)\(limit). \(failure.advice)", facts: facts,
      retryAfter: .seconds(1))
  }
}

extension KernelFailure {
  /// The advice for an error: each has a reason of its own, and only some are limits that can be raised.
  fileprivate var advice: String {
    switch errno {
    case .noSpace: "Remove sets that nobody uses (ipcs -s, ipcrm -s ID), or raise it (sysctl kernel.sem)."
    case .noMemory: "The host or the container has no memory left for it: free some, and try again."
    case .listTooLong: "One call may do no more operations: ask for fewer at once, or raise it (sysctl kernel.sem)."
    case .outOfRange: "A value or what is to be undone would pass its range: give units back first."
    case .wouldBlock, .interrupted: "Something else came between: try again."
    case .noSuchCall: "There are no System V semaphores here, or a filter (seccomp) keeps this service from them."
    default: "The log may tell more; try again."
    }
  }
}
