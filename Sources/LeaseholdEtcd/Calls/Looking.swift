public import Leasehold
internal import LeaseholdHost
import Synchronization

// What is seen of locks and leases: any former state of the cluster, a moment old as a rule.
extension EtcdLockService {
  /// A lease that this server tells of.
  func snapshot(_ held: Held, isReplay: Bool) -> LeaseSnapshot {
    var snapshot = Self.snapshot(held.place.entries, id: held.place.id)
    snapshot.deadline = MonotonicInstant(nanoseconds: held.deadline)
    snapshot.replayed = isReplay
    snapshot.stamp = UInt64(held.place.modified)
    return snapshot
  }

  /// A lease of which all entries are known; the deadline is what the last write of anybody allows at most.
  static func snapshot(_ entries: [QueueEntry], id: LeaseID? = nil) -> LeaseSnapshot {
    let first = entries[0]
    let granted = MonotonicInstant(nanoseconds: instant(first.at))
    let key = EtcdLayout.decoded(first.lock) ?? LockName.unnamed
    var snapshot = LeaseSnapshot(
      id: id ?? LeaseID(high: first.refNumber << 24, low: 0), key: key, kind: .readersWriter, mode: first.mode,
      count: first.count, units: first.units, fence: first.created, ttl: .milliseconds(first.ttl), grantedAt: granted)
    (snapshot.owner, snapshot.bindsConnection) = (first.owner, first.isBound)
    snapshot.waited = .milliseconds(first.waited)
    if first.units != Limits.readerUnits, first.mode == .exclusive { snapshot.kind = .slots }
    if entries.count > 1 {
      snapshot.parts = entries.map { entry in
        LeasePart(
          key: EtcdLayout.decoded(entry.lock) ?? key,
          kind: entry.units == Limits.readerUnits ? .readersWriter : LockKind.slots,
          mode: entry.mode, count: entry.count, units: entry.units, limitApplied: nil, binding: nil)
      }
    }
    return snapshot
  }

  /// A lock as it was seen.
  static func shown(_ key: LockKey, _ queue: LockQueue, listed: Int) -> LockSnapshot {
    let (holders, waiters) = (queue.holders, queue.waiters)
    let used = holders.reduce(0) { $0 + $1.units }
    var shown = LockSnapshot(
      key: key, kind: queue.kind ?? .readersWriter, capacity: queue.capacity, version: queue.version)
    (shown.heldUnits, shown.fence) = (used, holders.map(\.created).max())
    (shown.holderCount, shown.waiterCount) = (holders.count, waiters.count)
    shown.holders = holders.prefix(listed).map { entry in
      var snapshot = snapshot([entry])
      snapshot.kind = shown.kind
      return snapshot
    }
    shown.waiters = waiters.prefix(listed).map { entry in
      let since = MonotonicInstant(nanoseconds: instant(entry.at))
      return WaiterSnapshot(
        owner: entry.owner, mode: entry.mode, count: entry.count, since: since, until: since)
    }
    let free = max(0, queue.capacity - used)
    shown.available = if case .counting = shown.kind { free } else { holders.isEmpty ? 1 : 0 }
    return shown
  }

  /// A lock that somebody knows.
  ///
  /// - Throws: `no-such-lock`.
  static func snapshot(_ key: LockKey, _ queue: LockQueue, listed: Int) throws(LeaseholdError) -> LockSnapshot {
    guard queue.kind != nil || !queue.entries.isEmpty else { throw .noSuchLock(key) }
    return shown(key, queue, listed: listed)
  }

  /// One lease.
  ///
  /// - Throws: `no-such-lease`, and what 410 says of its end.
  public func lease(
    _ lease: LeaseID, within confinement: Confinement?, at now: MonotonicInstant
  ) throws(LeaseholdError) -> LeaseSnapshot {
    let (entries, deadline) = try find(lease, on: nil, within: confinement)
    var snapshot = Self.snapshot(entries, id: lease)
    snapshot.deadline = deadline.map { MonotonicInstant(nanoseconds: $0) }
    snapshot.kind = state.withLock { $0.view.queue(entries[0].lock).kind } ?? snapshot.kind
    return snapshot
  }

  /// The leases that are held, by the order of their grants.
  public func leases(_ filter: ListFilter) -> Page<LeaseSnapshot> {
    state.withLock { state in
      let all = state.view.places.keys.map { state.view.entries($0) }.filter { entries in
        guard let first = entries.first, !first.isWaiting else { return false }
        guard filter.owner == nil || first.owner.isExactly(filter.owner) else { return false }
        return entries.allSatisfy { Self.covers($0.lock, filter.confinement) }
          && (filter.keyPrefix.map { prefix in entries.contains { Self.begins($0.lock, prefix) } } ?? true)
      }.sorted { ($0[0].created, $0[0].name) < ($1[0].created, $1[0].name) }
      return Self.page(all, filter) { entries in
        var snapshot = Self.snapshot(entries)
        snapshot.kind = state.view.queue(entries[0].lock).kind ?? snapshot.kind
        snapshot.deadline = state.held[entries[0].name].map { MonotonicInstant(nanoseconds: $0.deadline) }
        return snapshot
      }
    }
  }

  /// One lock.
  ///
  /// - Throws: `no-such-lock`, `not-supported` for native names.
  public func lock(_ lock: LockName, listed: Int) throws(LeaseholdError) -> LockSnapshot {
    try checkPlain(lock)
    let encoded = EtcdLayout.encoded(lock.key)
    return try state.withLock { state throws(LeaseholdError) in
      try Self.snapshot(lock.key, state.view.queue(encoded), listed: listed)
    }
  }

  /// The locks, by name.
  public func locks(_ filter: ListFilter) -> Page<LockSnapshot> {
    state.withLock { state in
      let all = state.view.locks.keys.sorted().filter { lock in
        guard Self.covers(lock, filter.confinement), filter.keyPrefix.map({ Self.begins(lock, $0) }) ?? true else {
          return false
        }
        let queue = state.view.queue(lock)
        switch filter.state {
        case .held: return !queue.holders.isEmpty
        case .free: return queue.holders.isEmpty
        case .waited: return !queue.waiters.isEmpty
        case .cooling, .damaged: return false
        case nil: return true
        }
      }
      return Self.page(all, filter) { lock in
        Self.shown(EtcdLayout.decoded(lock) ?? LockName.unnamed, state.view.queue(lock), listed: 0)
      }
    }
  }

  private static func page<Found, Element>(
    _ all: [Found], _ filter: ListFilter, _ element: (Found) -> Element
  ) -> Page<Element> {
    let rest = all.dropFirst(filter.cursor)
    let next = rest.count > filter.limit ? filter.cursor + filter.limit : nil
    return Page(entries: rest.prefix(filter.limit).map(element), nextCursor: next)
  }

  private static func covers(_ lock: String, _ confinement: Confinement?) -> Bool {
    guard let confinement else { return true }
    return EtcdLayout.decoded(lock).map { confinement.covers($0.text) } ?? false
  }

  private static func begins(_ lock: String, _ prefix: String) -> Bool {
    EtcdLayout.decoded(lock)?.text.utf8.starts(with: prefix.utf8) ?? false
  }
}
