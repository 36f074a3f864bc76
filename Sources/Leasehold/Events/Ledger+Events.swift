// What the ledger notes of what it does, for those who follow it.

extension Ledger {
  /// Notes what happened to a lease, at an instant in nanoseconds of CLOCK_MONOTONIC.
  @inline(__always)
  func note(_ kind: EventKind, _ lease: Lease, _ reason: EndReason? = nil, at now: Int64) {
    if lease.leavesNoTrace { return }
    ring.append(
      LedgerEvent(
        kind: kind, mode: lease.mode, reason: reason?.name, count: Int32(truncatingIfNeeded: lease.count), at: now,
        ref: lease.id.high >> 24, fence: lease.fence, key: lease.key.text, text: lease.owner,
        trace: lease.trace, breaking: kind == .broken ? lease.breaking : nil))
    if !lease.parts.isEmpty { noteParts(kind, of: lease, reason, at: now) }
  }

  /// A lease of several locks happens on each of them.
  func noteParts(_ kind: EventKind, of head: Lease, _ reason: EndReason?, at now: Int64) {
    for part in head.parts {
      ring.append(
        LedgerEvent(
          kind: kind, mode: part.mode, reason: reason?.name, count: Int32(truncatingIfNeeded: part.count), at: now,
          ref: head.id.high >> 24, fence: head.fence, key: part.key.text, text: head.owner,
          trace: head.trace, breaking: kind == .broken ? head.breaking : nil))
    }
  }

  /// Notes that a lease has another form on one lock.
  func noteConversion(of lease: Lease, at now: Int64) {
    let head = lease.whole
    ring.append(
      LedgerEvent(
        kind: .converted, mode: lease.mode, count: Int32(truncatingIfNeeded: lease.count), at: now,
        ref: head.id.high >> 24, fence: head.fence, key: lease.key.text, text: head.owner,
        trace: head.trace))
  }

  /// Notes what happened to a waiter; `reason` tells why it left.
  func note(_ kind: EventKind, _ waiter: Waiter, _ reason: String? = nil, at now: Int64) {
    if waiter.request.leavesNoTrace { return }
    ring.append(
      LedgerEvent(
        kind: kind, mode: waiter.request.mode, reason: reason, count: Int32(truncatingIfNeeded: waiter.request.count),
        at: now, ref: 0, fence: 0, key: waiter.request.key.text, text: waiter.request.owner,
        trace: waiter.caller.trace))
  }

  /// Notes what happened to a lock.
  func note(
    _ kind: EventKind, _ lock: Lock, _ reason: String, _ text: String? = nil, count: Int = 0, at now: Int64
  ) {
    ring.append(
      LedgerEvent(
        kind: kind, mode: .exclusive, reason: reason, count: Int32(truncatingIfNeeded: count), at: now, ref: 0,
        fence: 0, key: lock.key.text, text: text))
  }

  /// About now, for what is told no time: what was noted last, or the last housekeeping.
  var latest: Int64 { max(ring.latest, journal.lastSeen) }

  /// The events from a number on, at most `limit`.
  public func events(from number: UInt64, limit: Int) -> EventBatch { ring.events(from: number, limit: limit) }
}
