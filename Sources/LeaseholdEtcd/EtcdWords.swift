internal import EtcdGateway
internal import Leasehold
internal import LeaseholdQueue

// The words of every refusal of this engine, in one place. Each says what to do.
extension LeaseholdError {
  /// The error that a failure of etcd comes to.
  static func engine(_ failure: EtcdFailure) -> LeaseholdError {
    switch failure {
    case .unavailable(let reason):
      LeaseholdError(
        .engineUnavailable, "etcd has no quorum or cannot be reached (\(reason)); nothing was changed. Try again.",
        retryAfter: .seconds(1))
    case .unknown(let reason):
      LeaseholdError(
        .outcomeUnknown,
        "etcd did not say whether it happened (\(reason)). Ask again: an acquire with the same Idempotency-Key gets "
          + "the lease that it may have got, and a renewal or a release can be repeated.",
        retryAfter: .seconds(1))
    case .refused(.noGateway, let reason):
      LeaseholdError(
        .engineUnavailable,
        "etcd answers without its JSON gateway (\(reason)); start it with --enable-grpc-gateway=true.",
        retryAfter: .seconds(1))
    case .refused(.denied, let reason):
      LeaseholdError(
        .engineUnavailable, "etcd does not let this service in (\(reason)); look at its user, password and role.",
        retryAfter: .seconds(1))
    case .refused(_, let reason):
      LeaseholdError(
        .engineUnavailable, "etcd refused the request (\(reason)); nothing was changed. Try again.",
        retryAfter: .seconds(1))
    }
  }

  static func notServing(_ isDraining: Bool) -> LeaseholdError {
    isDraining
      ? LeaseholdError(
        .draining, "The service is stopping; leases stay as they are. Try again when it is back.",
        retryAfter: .seconds(1))
      : LeaseholdError(.starting, "The service has not seen the cluster yet. Try again.", retryAfter: .seconds(1))
  }

  static func placeLost() -> LeaseholdError {
    LeaseholdError(
      .engineUnavailable, "The place in the queue was lost, as this service was away from etcd; ask again.",
      retryAfter: .seconds(1))
  }

  static func busyQueue(_ key: LockKey) -> LeaseholdError {
    LeaseholdError(
      .engineUnavailable,
      "The queue of lock '\(key)' changed faster than it could be read; nothing was done. Try again.",
      retryAfter: .seconds(1))
  }

  static func notSupported(_ reason: String, instead: String) -> LeaseholdError {
    LeaseholdError(.notSupported, "\(reason) Use \(instead).", facts: [("instead", .text(instead))])
  }

  static func mismatch(_ key: LockKey, _ kind: LockKind, _ asked: LockKind) -> LeaseholdError {
    switch (kind, asked) {
    case (.counting(let limit), .counting(let other)):
      LeaseholdError(
        .limitMismatch,
        "Lock '\(key)' is in use with limit=\(limit), not \(other); use its limit, or wait until nobody uses it.",
        facts: [("limit", .number(Int64(limit))), ("asked_limit", .number(Int64(other)))])
    case (.counting(let limit), _):
      LeaseholdError(
        .kindMismatch,
        "Lock '\(key)' is in use as a counting lock; give limit=\(limit), or wait until nobody uses it.",
        facts: [("kind", .text("counting")), ("limit", .number(Int64(limit)))])
    default:
      LeaseholdError(
        .kindMismatch, "Lock '\(key)' is in use without a limit; leave 'limit' out, or wait until nobody uses it.",
        facts: [("kind", .text("rw")), ("limit", .null)])
    }
  }

  static func contended(_ code: Code, _ shown: LockSnapshot, _ words: String) -> LeaseholdError {
    LeaseholdError(code, "Lock '\(shown.key)' \(words).", contention: shown, retryAfter: .seconds(1))
  }

  static func notConvertible(_ key: LockKey) -> LeaseholdError {
    LeaseholdError(
      .kindMismatch,
      "Lock '\(key)' has no readers: only names without a limit can be shared. Release the lease and acquire what you "
        + "need.", facts: [("key", .text(key.text))])
  }

  static func upgradeDeadlock(_ key: LockKey) -> LeaseholdError {
    LeaseholdError(
      .deadlock,
      "Others wait for lock '\(key)', and for your share of it; release the lease and acquire it exclusively.")
  }

  /// That a lease stays until its grace is over, and no longer.
  static func beingBroken(_ entry: QueueEntry, _ end: EndValue) -> LeaseholdError {
    let over = EtcdLockService.over(end)
    let left = max(0, (over - EtcdLockService.now()).milliseconds)
    return .gone(
      .broken,
      "An operator\(end.by.map { " (\($0))" } ?? "") ends lease \(entry.value.ref): it stands for \(left) ms more and "
        + "can be released, but not renewed or transferred. Finish what it protects.",
      key: EtcdNames.decoded(entry.lock), ref: entry.value.ref, reason: .broken, endedAt: nil,
      facts: [
        ("ends_at", .instant(over.nanoseconds)), ("breaking_in_ms", .number(left)),
        ("break_reason", end.note.map { .text($0) } ?? .null), ("broken_by", end.by.map { .text($0) } ?? .null),
      ])
  }

  /// True where what was to end has ended.
  var isOver: Bool {
    let over: [Code] = [.noSuchLease, .expired, .released, .broken, .undelivered, .lockRemoved, .setRemoved]
    return over.contains(code)
  }

  /// That a lease is over, as is remembered.
  static func over(_ end: EndValue, key: LockKey?, ref: String) -> LeaseholdError {
    over(end.endReason, key: key, ref: ref, at: EtcdLockService.instant(end.at), by: end.by, note: end.note)
  }

  /// That a lease is over.
  static func over(
    _ reason: EndReason, key: LockKey?, ref: String, at: Int64?, by: String? = nil, note: String? = nil
  ) -> LeaseholdError {
    let (code, what): (Code, String) =
      switch reason {
      case .released, .transferred: (.released, "was released")
      case .broken: (.broken, "was ended by an operator" + (by.map { " (\($0))" } ?? ""))
      case .connectionClosed: (.expired, "ended with the connection it was bound to")
      case .undelivered: (.undelivered, "was undone because its answer could not be delivered")
      case .lockRemoved: (.lockRemoved, "ended because its lock was removed")
      case .expired, .setRemoved, .processExited, .rewritten, .processLost:
        (.expired, "expired: its ttl passed without a renewal; somebody else may hold the lock now")
      }
    let facts: [Fact] =
      reason == .broken
      ? [("break_reason", note.map { .text($0) } ?? .null), ("broken_by", by.map { .text($0) } ?? .null)] : []
    return .gone(
      code, "Lease \(ref) \(what). Acquire again.", key: key, ref: ref, reason: reason, endedAt: at, facts: facts)
  }
}
