// What another engine than the ledger fills in of what it tells; all else has a default.

extension LockSnapshot {
  /// A lock that nobody holds or waits for.
  package init(key: LockKey, kind: LockKind, capacity: Int?, version: UInt64) {
    self.init(
      key: key, kind: kind, availableUnits: nil, capacity: capacity, heldUnits: 0, fence: nil, holders: [],
      holderCount: 0, coolingCount: 0, waiters: [], waiterCount: 0, binding: nil, lastPID: nil, kernelWaiters: nil)
    tag = LockTag(epoch: 0, version: version)
  }
}

extension WaiterSnapshot {
  /// A waiter of which no connection is known.
  package init(owner: String?, mode: LockMode, count: Int, since: MonotonicInstant, until: MonotonicInstant) {
    self.init(owner: owner, mode: mode, count: count, peer: .unknown, since: since, until: until)
  }
}

extension BreakOutcome {
  /// A break that is done.
  package init(_ request: BreakRequest, of key: LockKey, ref: String, owner: String?, at end: MonotonicInstant) {
    self.init(
      key: key, ref: ref, owner: owner, end: end, reason: request.reason, by: request.caller.inWords)
  }
}
