public import Leasehold
internal import LeaseholdHost
internal import LeaseholdQueue
import Synchronization

// What is seen of locks and leases: any former state of the cluster, a moment old as a rule.
extension EtcdState {
  /// A lease that this server tells of.
  func snapshot(_ held: Held) -> LeaseSnapshot {
    let snapshot = snapshot(Found(held.grant.entries, upgrade: held.grant.upgrade), id: held.id)
    snapshot.deadline = MonotonicInstant(nanoseconds: held.deadline)
    snapshot.stamp = UInt64(held.grant.stamp)
    return snapshot
  }

  /// A lease as it was seen.
  func snapshot(_ found: Found, id: LeaseID? = nil) -> LeaseSnapshot {
    let (first, value) = (found.first, found.first.value)
    let units = value.units + (found.upgrade?.value.units ?? 0)
    let key = EtcdNames.decoded(first.lock) ?? LockName.unnamed
    let snapshot = LeaseSnapshot(
      id: id ?? LeaseID(high: value.refNumber << 24, low: 0), key: key, kind: kind(of: first),
      mode: found.upgrade == nil ? value.mode : .exclusive, count: value.count, units: units,
      fence: found.upgrade?.created ?? first.created, owner: value.owner, ttl: .milliseconds(value.ttl),
      grantedAt: MonotonicInstant(wall: value.at))
    snapshot.bindsConnection = value.isBound
    (snapshot.waited, snapshot.cooldown) = (.milliseconds(value.waited), .milliseconds(value.cooldown))
    snapshot.deadline = found.deadline.map { MonotonicInstant(nanoseconds: $0) }
    if let end = value.end {
      snapshot.deadline = end.over
      snapshot.breaking = BreakNote(reason: end.note, by: end.by)
    }
    if !found.isInTime { (snapshot.state, snapshot.deadline) = (.cooling, nil) }
    if found.entries.count > 1 {
      snapshot.parts = found.entries.map { entry in
        LeasePart(
          key: EtcdNames.decoded(entry.lock) ?? key, kind: kind(of: entry), mode: entry.value.mode,
          count: entry.value.count, units: entry.value.units, limitApplied: nil, binding: nil)
      }
    }
    return snapshot
  }

  private func kind(of entry: QueueEntry) -> LockKind {
    let isWhole = entry.value.isShared || entry.value.units == QueueKind.readerUnits
    let queue = view.queue(entry.lock)
    // A lock keeps its kind while it has entries. What was seen before this one came may be that of an earlier use.
    let seen = queue.revision >= entry.created ? queue.kind : held[entry.name]?.kinds[entry.lock]
    return seen?.lockKind ?? (isWhole ? .readersWriter : .slots)
  }

  /// A lock as it was seen.
  func shown(_ key: LockKey, _ queue: LockQueue, listed: Int) -> LockSnapshot {
    let (leases, waiters) = (queue.holders, queue.waiting)
    var (cooling, used, blocked, fence) = (0, 0, 0, Int64?.none)
    for entry in queue.entries where !entry.value.isWaiting {
      if entry.value.shrinksTo != nil {
        blocked += entry.value.units
        continue
      }
      used += entry.value.units
      fence = max(fence ?? 0, entry.created)
      if view.isCooling(entry) { cooling += 1 }
    }
    var shown = LockSnapshot(
      key: key, kind: (queue.kind ?? .readersWriter).lockKind, capacity: queue.capacity, version: queue.version)
    (shown.heldUnits, shown.fence) = (used, fence)
    (shown.holderCount, shown.coolingCount, shown.waiterCount) = (leases.count - cooling, cooling, waiters.count)
    shown.firstCame = waiters.first.map { MonotonicInstant(wall: $0.value.at) }
    shown.holders = leases.prefix(listed).map { entry in
      var found = Found([entry], upgrade: queue.boundUpgrade(entry.name))
      found.isInTime = !view.isCooling(entry)
      return snapshot(found)
    }
    shown.waiters = waiters.prefix(listed).map { entry in
      let since = MonotonicInstant(wall: entry.value.at)
      return WaiterSnapshot(
        owner: entry.value.owner, mode: entry.value.mode, count: entry.value.count, since: since, until: since)
    }
    let free = max(0, queue.capacity - used - blocked)
    shown.available = if case .counting = shown.kind { free } else { leases.isEmpty ? 1 : 0 }
    return shown
  }

  /// One lock, as the view of the cluster shows it.
  ///
  /// - Throws: `no-such-lock`.
  func snapshot(_ key: LockKey, listed: Int) throws(LeaseholdError) -> LockSnapshot {
    let queue = view.queue(EtcdNames.encoded(key))
    guard queue.kind != nil || !queue.entries.isEmpty else { throw .noSuchLock(key) }
    return shown(key, queue, listed: listed)
  }
}

extension EtcdLockService {
  /// One lease.
  ///
  /// - Throws: `no-such-lease`, and what 410 says of its end.
  public func lease(
    _ lease: LeaseID, within confinement: Confinement?, at now: MonotonicInstant
  ) throws(LeaseholdError) -> LeaseSnapshot {
    let found = try find(lease, on: nil, within: confinement)
    return state.withLock { $0.snapshot(found, id: lease) }
  }

  /// The leases that are held, by the order of their grants.
  public func leases(_ filter: ListFilter) -> Page<LeaseSnapshot> {
    catchUp()
    return state.withLock { state in
      let all = state.view.places.keys.compactMap(state.found).filter { found in
        guard !found.first.value.isWaiting, found.isInTime else { return false }
        guard filter.owner == nil || found.first.value.owner.isExactly(filter.owner) else { return false }
        return found.locks.allSatisfy { Self.covers($0, filter.confinement) }
          && (filter.keyPrefix.map { prefix in found.locks.contains { Self.begins($0, prefix) } } ?? true)
      }.sorted { ($0.first.created, $0.name) < ($1.first.created, $1.name) }
      return Self.page(all, filter) { state.snapshot($0) }
    }
  }

  /// One lock, asked of etcd: another server may have written a moment ago.
  ///
  /// Where etcd does not answer soon, as it was seen last.
  ///
  /// - Throws: `no-such-lock`, `not-supported` for native names.
  public func lock(_ lock: LockName, listed: Int) throws(LeaseholdError) -> LockSnapshot {
    try checkPlain(lock)
    let end = HostClock.monotonic() + Self.catchUpMax
    if let sight = try? store.look([.queue(EtcdNames.encoded(lock.key))], before: end) { note(sight) }
    return try state.withLock { state throws(LeaseholdError) in try state.snapshot(lock.key, listed: listed) }
  }

  /// The locks, by name.
  public func locks(_ filter: ListFilter) -> Page<LockSnapshot> {
    catchUp()
    return state.withLock { state in
      let all = state.view.locks.keys.sorted().filter { lock in
        guard Self.covers(lock, filter.confinement), filter.keyPrefix.map({ Self.begins(lock, $0) }) ?? true else {
          return false
        }
        let queue = state.view.queue(lock)
        switch filter.state {
        case .held: return queue.holders.contains { !state.view.isCooling($0) }
        case .free: return queue.holders.isEmpty
        case .waited: return !queue.waiting.isEmpty
        case .cooling: return queue.holders.contains { state.view.isCooling($0) }
        case .damaged: return false
        case nil: return true
        }
      }
      return Self.page(all, filter) { lock in
        state.shown(EtcdNames.decoded(lock) ?? LockName.unnamed, state.view.queue(lock), listed: 0)
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

  static func covers(_ lock: String, _ confinement: Confinement?) -> Bool {
    guard let confinement else { return true }
    return EtcdNames.decoded(lock).map { confinement.covers($0.text) } ?? false
  }

  private static func begins(_ lock: String, _ prefix: String) -> Bool {
    EtcdNames.decoded(lock)?.text.utf8.starts(with: prefix.utf8) ?? false
  }
}
