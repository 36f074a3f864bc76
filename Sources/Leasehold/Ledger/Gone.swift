// 410: what is over. Each answer has the same members, null where something is not known: `key`, `ref`, `reason` and
// `ended_at`, which is never ahead; a lease that is being broken has `ends_at` instead of it.

extension LeaseholdError {
  /// The only way to say that something is over.
  ///
  /// - Parameters:
  ///   - key: The lock; `nil` where a restart forgot it, and where there is none.
  ///   - ref: The lease's short name; `nil` for a waiter, which had none yet.
  ///   - endedAt: When, in nanoseconds of CLOCK_MONOTONIC; `nil` where the end is still to come.
  public static func gone(
    _ code: Code, _ detail: String, key: LockKey?, ref: String?, reason: EndReason, endedAt: Int64?,
    facts: [Fact] = []
  ) -> LeaseholdError {
    LeaseholdError(
      code, detail,
      facts: [
        ("key", key.map { .text($0.text) } ?? .null), ("ref", ref.map { .text($0) } ?? .null),
        ("reason", .text(reason.name)), ("ended_at", endedAt.map { .instant($0) } ?? .null),
      ] + facts)
  }

  /// That a lease is over.
  ///
  /// - Parameters:
  ///   - note: The operator and the reason, where it was broken.
  ///   - keys: The names of all its locks, on a lease of several.
  package static func over(
    _ reason: EndReason, _ note: BreakNote?, key: LockKey?, keys: [LockKey] = [], ref: String, at: Int64?
  ) -> LeaseholdError {
    let (code, what): (Code, String) =
      switch reason {
      case .released: (.released, "was released")
      case .expired: (.expired, "expired: its ttl passed without a renewal; somebody else may hold the lock now")
      case .broken: (.broken, "was ended by an operator" + (note?.by.map { " (\($0))" } ?? ""))
      case .connectionClosed: (.expired, "ended with the connection it was bound to")
      case .processExited: (.expired, "ended with the process it was bound to")
      case .processLost:
        (
          .expired,
          "ended because the process it was bound to could not be seen after a restart of the service: it may live, "
            + "and somebody else may hold the lock now"
        )
      case .transferred: (.released, "was transferred: it goes on under another id")
      case .rewritten:
        (
          .rewritten,
          "ended because another program wrote the values of its semaphores; nothing was given back, and somebody else "
            + "may hold the lock now"
        )
      case .undelivered: (.undelivered, "was undone because its answer could not be delivered")
      case .setRemoved: (.setRemoved, "ended because another program removed its semaphore set")
      case .lockRemoved: (.lockRemoved, "ended because its lock was removed")
      }
    var facts: [Fact] = []
    if !keys.isEmpty { facts.append(("locks", .texts(keys.map(\.text)))) }
    if reason == .broken { facts += breakFacts(note) }
    return .gone(
      code, "Lease \(ref) \(what). Acquire again.", key: key, ref: ref, reason: reason, endedAt: at, facts: facts)
  }

  /// A lease that is being broken stays until its end, and no longer.
  package static func beingBroken(
    _ ref: String, on key: LockKey?, _ note: BreakNote?, until end: MonotonicInstant, at now: MonotonicInstant
  ) -> LeaseholdError {
    let left = max(0, (end - now).milliseconds)
    return .gone(
      .broken,
      "An operator\(note?.by.map { " (\($0))" } ?? "") ends lease \(ref): it stands for \(left) ms more and can be "
        + "released, but not renewed or transferred. Finish what it protects.",
      key: key, ref: ref, reason: .broken, endedAt: nil,
      facts: [("ends_at", .instant(end.nanoseconds)), ("breaking_in_ms", .number(left))] + breakFacts(note))
  }

  private static func breakFacts(_ note: BreakNote?) -> [Fact] {
    [("break_reason", note?.reason.map { .text($0) } ?? .null), ("broken_by", note?.by.map { .text($0) } ?? .null)]
  }
}

extension Ledger {
  static func over(_ lease: Lease) -> LeaseholdError {
    let reason: EndReason =
      switch lease.state {
      case .ended(let reason): reason
      case .cooling(let reason, _): reason
      case .held: lease.ownEnd
      case .suspect: .undelivered
      }
    return over(Tombstone(lease, reason))
  }

  static func over(_ end: Tombstone) -> LeaseholdError {
    .over(end.reason, end.breaking, key: end.key, keys: end.keys, ref: end.id.ref, at: end.endedAt)
  }

  static func beingBroken(_ lease: Lease, at now: MonotonicInstant) -> LeaseholdError {
    .beingBroken(
      lease.id.ref, on: lease.key, lease.breaking, until: MonotonicInstant(nanoseconds: lease.deadline), at: now)
  }

  // MARK: Waiters

  static func lockRemoved(_ key: LockKey, at moment: Moment) -> LeaseholdError {
    .gone(
      .lockRemoved, "Lock '\(key)' was removed while you waited; acquire it again to make it anew.", key: key, ref: nil,
      reason: .lockRemoved, endedAt: moment.monotonic.nanoseconds)
  }

  static func setKeepsVanishing(_ key: LockKey, at moment: Moment) -> LeaseholdError {
    .gone(
      .setRemoved, "Some program keeps removing the semaphore set of lock '\(key)'; find it (ipcs -s, auditctl).",
      key: key, ref: nil, reason: .setRemoved, endedAt: moment.monotonic.nanoseconds)
  }

  static func setRemoved(_ key: LockKey, at moment: Moment) -> LeaseholdError {
    .gone(
      .setRemoved, "The semaphore set of '\(key)' was removed while this request waited. Ask again.", key: key,
      ref: nil, reason: .setRemoved, endedAt: moment.monotonic.nanoseconds, facts: [("errno", .text("EIDRM"))])
  }
}
