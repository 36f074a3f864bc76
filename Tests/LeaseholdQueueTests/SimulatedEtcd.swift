@testable import LeaseholdQueue

/// Leases of the simulation: what they are for, and the order in which they were granted.
enum SimulatedLease {
  enum Kind: Int64 {
    case session = 1
    case short, usual, long
    /// Of what an operator ended.
    case ended
    /// The mark of a lease with a cooldown.
    case marker
  }

  static func id(_ kind: Kind, _ number: Int64) -> Int64 { kind.rawValue * 1_000_000 + number }
  static func kind(_ lease: Int64) -> Kind? { Kind(rawValue: lease / 1_000_000) }
  static func number(_ lease: Int64) -> Int64 { lease % 1_000_000 }
  static func session(of server: Int, _ epoch: Int64) -> Int64 { id(.session, Int64(server) * 1_000 + epoch) }

  /// Ttls are 1, 2 and 3; 10 more with a cooldown.
  static func kind(ttl: Int64) -> Kind { [Kind.ended, .short, .usual, .long][Int(ttl % 10)] }
}

/// Some queues and capacities at one revision.
struct Snapshot: Hashable {
  var revision: Int64
  var entries: [QueueEntry]
  var capacities: [Capacity]

  struct Capacity: Hashable {
    let lock: String
    var units: Int
    var modified: Int64
  }

  func queue(_ lock: String) -> LockQueue {
    guard let capacity = capacities.first(where: { $0.lock == lock }) else { preconditionFailure(lock) }
    return LockQueue(
      lock, entries.filter { $0.lock == lock }, kind: .counting(limit: capacity.units),
      kindModified: capacity.modified, revision: revision)
  }
}

/// A store with revisions and leases; transactions are atomic, and what they read else is current.
struct SimulatedEtcd: Hashable {
  var revision: Int64 = 1
  var entries: [QueueEntry] = []
  var capacities: [Snapshot.Capacity] = []
  var leases: Set<Int64> = []
  private var ends: Set<End> = []

  /// A tombstone; one of an attempt's own put stands in the way of that attempt alone.
  private struct End: Hashable {
    let name: String
    let mark: UInt64
  }

  var snapshot: Snapshot { Snapshot(revision: revision, entries: entries, capacities: capacities) }

  func entry(_ name: String) -> QueueEntry? { entries.first { $0.name == name && !$0.isUpgrade } }
  func upgrade(_ name: String) -> QueueEntry? { entries.first { $0.name == name && $0.isUpgrade } }
  func isInTime(_ name: String) -> Bool {
    entry(name).map { leases.contains(SimulatedLease.id(.marker, SimulatedLease.number($0.lease))) } ?? false
  }

  /// Runs a transaction; `young` is the lease that a class of young leases comes to.
  mutating func run(_ transaction: QueueTransaction, session: Int64, young: Int64 = 0) -> QueueOutcome {
    let mark = transaction.writes.lazy.compactMap { write -> UInt64? in
      if case .put(_, .entry(let value), _) = write { value.mark } else { nil }
    }.first
    guard transaction.guards.allSatisfy({ holds($0, mark) }) else { return .kept(look(transaction.looks)) }
    let needsSession = transaction.writes.contains {
      if case .put(_, _, .session) = $0 { true } else { false }
    }
    if needsSession, !leases.contains(session) { return .sessionGone }
    revision += 1
    for write in transaction.writes { apply(write, session, young) }
    entries.sort { $0.created < $1.created }
    return .done(Written(revision: revision, lease: young, deadline: 1))
  }

  private func find(_ key: QueueKey) -> Int? {
    switch key {
    case .entry(let lock, let name): entries.firstIndex { !$0.isUpgrade && $0.lock == lock && $0.name == name }
    case .upgrade(let lock, let name): entries.firstIndex { $0.isUpgrade && $0.lock == lock && $0.name == name }
    default: nil
    }
  }

  private func holds(_ condition: QueueGuard, _ mark: UInt64?) -> Bool {
    switch condition {
    case .created(.end(let name), let revision):
      revision == 0 && !ends.contains { $0.name == name && ($0.mark == 0 || $0.mark == mark) }
    case .created(let key, let revision): find(key).map { entries[$0].created } ?? 0 == revision
    case .modified(.kind(let lock), let revision):
      capacities.first { $0.lock == lock }?.modified ?? 0 == revision
    case .modified(let key, let revision): find(key).map { entries[$0].modified } ?? 0 == revision
    case .lease(let key, let lease): find(key).map { entries[$0].lease } ?? 0 == lease
    case .exists(.inTime(let name)): isInTime(name)
    case .exists(let key): find(key) != nil
    case .nothingCreated(let lock, let revision): entries.allSatisfy { $0.lock != lock || $0.created <= revision }
    case .isEmpty(let lock): !entries.contains { $0.lock == lock }
    }
  }

  private func look(_ looks: [QueueLook]) -> Sight {
    var sight = Sight([])
    for look in looks {
      switch look {
      case .queue(let lock): sight.queues.append(snapshot.queue(lock))
      case .key(.end(let name)):
        if ends.contains(where: { $0.name == name && $0.mark == 0 }) { sight.end = EndValue(reason: "ended") }
      case .key(.inTime(let name)): sight.isInTime = isInTime(name)
      case .key: break
      }
    }
    return sight
  }

  private mutating func apply(_ write: QueueWrite, _ session: Int64, _ young: Int64) {
    switch write {
    case .put(let key, .entry(var value), let lease):
      if value.session == EntryValue.thisSession { value.session = session }
      put(key, value, on: id(lease, session, young))
    case .put(.end(let name), .end(let end), _): ends.insert(End(name: name, mark: end.mark))
    case .put(.kind(let lock), .kind(.counting(let limit)), _):
      guard let index = capacities.firstIndex(where: { $0.lock == lock }) else { preconditionFailure(lock) }
      (capacities[index].units, capacities[index].modified) = (limit, revision)
    case .put, .move(.locks, _), .move(.inTime, _), .move(.retry, _): break
    case .move(let key, let lease):
      guard let index = find(key) else { preconditionFailure("etcd refuses to move what is not there") }
      (entries[index].lease, entries[index].modified) = (id(lease, session, young), revision)
    case .delete(let key): if let index = find(key) { entries.remove(at: index) }
    }
  }

  private func id(_ lease: LeaseClass, _ session: Int64, _ young: Int64) -> Int64 {
    switch lease {
    case .none, .tombstone: 0
    case .session: session
    case .young, .marker: young
    }
  }

  private mutating func put(_ key: QueueKey, _ value: EntryValue, on lease: Int64) {
    if let index = find(key) {
      (entries[index].value, entries[index].lease, entries[index].modified) = (value, lease, revision)
      return
    }
    switch key {
    case .entry(let lock, let name):
      entries.append(
        QueueEntry(lock: lock, name: name, created: revision, modified: revision, lease: lease, value: value))
    case .upgrade(let lock, let name):
      entries.append(
        QueueEntry(
          lock: lock, name: name, isUpgrade: true, created: revision, modified: revision, lease: lease,
          value: value))
    default: break
    }
  }

  /// The store ends a lease, and all that hangs on it.
  mutating func end(_ lease: Int64) {
    revision += 1
    entries.removeAll { $0.lease == lease }
    leases.remove(lease)
  }
}
