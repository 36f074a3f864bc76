internal import EtcdGateway
internal import Leasehold
internal import LeaseholdHost
internal import LeaseholdQueue
import Synchronization

/// A lease as it was seen: any former state.
struct Found: Sendable {
  /// In the order of its locks.
  var entries: [QueueEntry]
  var upgrade: QueueEntry?
  var isInTime = true
  /// Nanoseconds of CLOCK_MONOTONIC, where this server knows it.
  var deadline: Int64?

  /// A lease of at least one entry.
  init(_ entries: [QueueEntry], upgrade: QueueEntry? = nil) {
    precondition(!entries.isEmpty)
    (self.entries, self.upgrade) = (entries, upgrade)
  }

  var first: QueueEntry { entries[0] }
  var name: String { first.name }
  var locks: [String] { first.allLocks }

  /// The sight that a change of the lease begins with.
  var sight: Sight {
    let queues = entries.map { entry in
      let own = entry.lock == upgrade?.lock ? [entry, upgrade].compactMap(\.self) : [entry]
      return LockQueue(entry.lock, own, kind: nil, kindModified: 0, revision: entry.modified)
    }
    return Sight(queues, isInTime: isInTime)
  }

  /// A renewal of it, perhaps with another ttl.
  func renewal(_ ttl: TimeSpan?, binds: Bool = false) -> LeaseChange.Kind {
    .renew(fence: first.created, ttl: ttl?.millisecondsRoundedUp, binds: binds)
  }
}

extension EtcdState {
  /// A lease, or a place in a queue, by the name of its entries; `nil` where nothing is seen of it.
  func found(_ name: String) -> Found? {
    let (seen, held) = (view.entries(name), held[name])
    var found: Found
    // What this server wrote last may be ahead of what it was told.
    if let held, seen.first.map({ $0.modified < held.grant.stamp }) ?? true {
      found = Found(held.grant.entries, upgrade: held.grant.upgrade)
    } else {
      guard let first = seen.first, seen.count == first.allLocks.count else { return nil }
      found = Found(seen, upgrade: view.queue(first.lock).boundUpgrade(name))
      found.isInTime = !view.isCooling(first)
    }
    found.deadline = held?.deadline
    return found
  }
}

// Leases by their ids, and how they ended.
extension EtcdLockService {
  /// Finds a lease that is held.
  ///
  /// - Throws: `no-such-lease`, and what 410 says of its end.
  func find(
    _ id: LeaseID, on lock: LockName?, within confinement: Confinement?
  ) throws(LeaseholdError) -> Found {
    if let lock { try checkPlain(lock) }
    let name = EtcdNames.entry(of: id)
    let (seen, isOver) = state.withLock { ($0.found(name), $0.ends[name] != nil) }
    // No entry comes back: an end is newer than whatever is still seen of it.
    if isOver { throw over(id, nil, within: confinement) }
    // A lease that was granted a moment ago may still be seen as a waiter, or not at all.
    let known = seen.flatMap { $0.first.value.isWaiting ? nil : $0 }
    let found = if let known { known } else { try search(id, within: confinement) }
    guard !found.first.value.isWaiting else { throw over(id, nil, within: confinement) }
    guard found.isInTime else {
      throw over(id, found.first.value.end ?? found.first.expiry, within: confinement)
    }
    for entry in found.entries {
      guard let key = EtcdNames.decoded(entry.lock), let confinement, !confinement.covers(key.text) else { continue }
      throw confinement.refusal("This reaches a lease on a lock that token '\(confinement.token)' may not use")
    }
    if let lock, !found.locks.contains(EtcdNames.encoded(lock.key)) {
      throw .foreignLease(of: EtcdNames.decoded(found.first.lock) ?? lock.key, asked: lock.key)
    }
    return found
  }

  /// Asks etcd for a lease that this server has not seen.
  ///
  /// A read may be old, so no read says that it is not there: that is asked by a transaction that could write.
  private func search(_ id: LeaseID, within confinement: Confinement?) throws(LeaseholdError) -> Found {
    let (name, deadline) = (EtcdNames.entry(of: id), Self.deadline())
    for isCertain in [false, true] {
      let known = try look([.key(.locks(name)), .key(.end(name))], of: name, isCertain: isCertain, before: deadline)
      guard !known.locks.isEmpty else {
        if let end = known.end { throw over(id, end, within: confinement) }
        continue
      }
      let looks = known.locks.map(QueueLook.queue) + [.key(.end(name)), .key(.inTime(name))]
      let sight = try look(looks, of: name, isCertain: isCertain, before: deadline)
      note(sight)
      let entries = sight.queues.compactMap { $0.entry(name) }
      guard entries.count == known.locks.count, !entries.isEmpty else {
        if let end = sight.end { throw over(id, end, within: confinement) }
        continue
      }
      // A place that waits may be a lease by now.
      guard isCertain || !entries[0].value.isWaiting else { continue }
      var found = Found(entries, upgrade: sight.queues[0].boundUpgrade(name))
      found.isInTime = sight.isInTime || !entries[0].value.needsMark
      return found
    }
    throw over(id, nil, within: confinement)
  }

  private func look(
    _ looks: [QueueLook], of name: String, isCertain: Bool, before deadline: Int64
  ) throws(LeaseholdError) -> Sight {
    guard isCertain else { return try look(looks, before: deadline) }
    return try told(store.lookForCertain(looks, by: .locks(name), before: deadline))
  }

  /// The end of a lease that is not there.
  private func over(_ id: LeaseID, _ end: EndValue?, within confinement: Confinement?) -> LeaseholdError {
    Self.over(end ?? state.withLock { $0.ends[EtcdNames.entry(of: id)] }, ref: id.ref, within: confinement)
  }

  /// The error of an end that is remembered, where a caller may know of its locks; else that there is no such lease.
  static func over(_ end: EndValue?, ref: String, within confinement: Confinement?) -> LeaseholdError {
    guard let end else { return .noSuchLease() }
    if let confinement, !(end.locks + [end.lock]).allSatisfy({ $0.isEmpty || covers($0, confinement) }) {
      return confinement.refusal("This was a lease on a lock that token '\(confinement.token)' may not use")
    }
    return .over(end, key: EtcdNames.decoded(end.lock), ref: ref)
  }
}
