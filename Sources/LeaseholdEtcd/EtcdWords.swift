internal import EtcdGateway
internal import Leasehold
internal import LeaseholdQueue

// The words of every refusal of this engine, in one place. Each says what to do.
extension LeaseholdError {
  /// The error that a failure of etcd comes to.
  static func engine(_ failure: EtcdFailure) -> LeaseholdError {
    switch failure {
    case .unavailable(let reason):
      .unavailable("etcd has no quorum or cannot be reached (\(reason)); nothing was changed. Try again.")
    case .unknown(let reason):
      LeaseholdError(
        .outcomeUnknown,
        "etcd did not say whether it happened (\(reason)). Ask again: an acquire with the same Idempotency-Key gets "
          + "the lease that it may have got, and a renewal or a release can be repeated.",
        retryAfter: .seconds(1))
    case .refused(.noGateway, let reason):
      .unavailable("etcd answers without its JSON gateway (\(reason)); start it with --enable-grpc-gateway=true.")
    case .refused(.denied, let reason):
      .unavailable("etcd does not let this service in (\(reason)); look at its user, password and role.")
    case .refused(_, let reason):
      .unavailable("etcd refused the request (\(reason)); nothing was changed. Try again.")
    }
  }

  private static func unavailable(_ words: String) -> LeaseholdError {
    LeaseholdError(.engineUnavailable, words, retryAfter: .seconds(1))
  }

  static func placeLost() -> LeaseholdError {
    .unavailable("The place in the queue was lost, as this service was away from etcd; ask again.")
  }

  static func busyQueue(_ key: LockKey) -> LeaseholdError {
    .unavailable("The queue of lock '\(key)' changed faster than it could be read; nothing was done. Try again.")
  }

  static func notSupported(_ reason: String, instead: String) -> LeaseholdError {
    LeaseholdError(.notSupported, "\(reason) Use \(instead).", facts: [("instead", .text(instead))])
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
    .beingBroken(
      entry.value.ref, on: EtcdNames.decoded(entry.lock), end.breakNote, until: end.over,
      at: EtcdLockService.now())
  }

  /// True where what was to end has ended.
  var isOver: Bool {
    let over: [Code] = [.noSuchLease, .expired, .released, .broken, .undelivered, .lockRemoved, .setRemoved]
    return over.contains(code)
  }

  /// That a lease is over, as is remembered.
  static func over(_ end: EndValue, key: LockKey?, ref: String) -> LeaseholdError {
    over(
      end.endReason, end.breakNote, key: key, keys: end.locks.compactMap(EtcdNames.decoded), ref: ref,
      at: MonotonicInstant(wall: end.at).nanoseconds)
  }
}
