/// The refusals that every engine words alike. Each says what to do.
extension LeaseholdError {
  /// An Idempotency-Key that comes with other parameters.
  package static func idempotencyMismatch() -> LeaseholdError {
    LeaseholdError(
      .idempotencyMismatch,
      "This Idempotency-Key was used for this lock with other parameters; repeat them exactly, or use a new key.")
  }

  /// A waiter whose place a retry took over.
  package static func superseded() -> LeaseholdError {
    LeaseholdError(
      .superseded, "A newer request with the same Idempotency-Key took over this place in the queue.")
  }

  /// An Idempotency-Key that was taken back.
  package static func canceled() -> LeaseholdError {
    LeaseholdError(
      .canceled, "This Idempotency-Key was taken back (DELETE /leases), and counts no more; acquire with a new one.")
  }

  /// An id of no lease.
  package static func noSuchLease() -> LeaseholdError {
    LeaseholdError(
      .noSuchLease,
      "No lease has this id: it never existed, or ended so long ago that it is forgotten. Acquire again.")
  }

  /// A lease on another lock than was named.
  package static func foreignLease(of own: LockKey, asked key: LockKey) -> LeaseholdError {
    LeaseholdError(
      .noSuchLease, "This lease is not on lock '\(key)' but on '\(own)'; name that lock, or use /leases/{id}.",
      facts: [("key", .text(own.text))])
  }

  /// A name of no lock.
  package static func noSuchLock(_ key: LockKey) -> LeaseholdError {
    LeaseholdError(
      .noSuchLock,
      "No lock is named '\(key)': the first acquire makes it, and it is collected when nobody uses it for a while.",
      facts: [("key", .text(key.text))])
  }

  /// More slots than a lock has.
  package static func countExceeds(_ count: Int, _ limit: Int) -> LeaseholdError {
    LeaseholdError(
      .countExceedsLimit, "count=\(count) can never be had from limit=\(limit) slots; ask for fewer.",
      facts: [("count", .number(Int64(count))), ("limit", .number(Int64(limit)))])
  }

  /// One waiter more than the service may have.
  package static func tooManyWaiters(_ waitersMax: Int) -> LeaseholdError {
    LeaseholdError(
      .tooManyWaiters, "The service holds \(waitersMax) waiters, its maximum (max-waiters); try again later.",
      facts: [("limit", .text("max-waiters")), ("maximum", .number(Int64(waitersMax)))], retryAfter: .seconds(1))
  }

  /// A service that stops.
  package static func draining() -> LeaseholdError {
    LeaseholdError(
      .draining, "The service is stopping; leases stay as they are. Try again when it is back.",
      retryAfter: .seconds(1))
  }

  /// A lock that is in use in another form than is asked for.
  package static func mismatch(_ key: LockKey, _ kind: LockKind, _ asked: LockKind) -> LeaseholdError {
    switch (kind.limit, asked.limit) {
    case (let limit?, let other?):
      LeaseholdError(
        .limitMismatch,
        "Lock '\(key)' is in use with limit=\(limit), not \(other); use its limit, or wait until nobody uses it.",
        facts: [("limit", .number(Int64(limit))), ("asked_limit", .number(Int64(other)))])
    case (let limit?, nil):
      LeaseholdError(
        .kindMismatch,
        "Lock '\(key)' is in use as a counting lock; give limit=\(limit), or wait until nobody uses it.",
        facts: [("kind", .text("counting")), ("limit", .number(Int64(limit)))])
    case (nil, _):
      LeaseholdError(
        .kindMismatch, "Lock '\(key)' is in use without a limit; leave 'limit' out, or wait until nobody uses it.",
        facts: [("kind", .text("rw")), ("limit", .null)])
    }
  }
}
