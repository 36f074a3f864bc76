internal import EtcdGateway
internal import Leasehold
internal import LeaseholdHost
import Synchronization

/// An acquire on its way.
final class Attempt: Sendable {
  let number: WaiterID
  let request: AcquireRequest
  let client: any LeaseClient
  /// Nanoseconds of CLOCK_MONOTONIC.
  let begun: Int64
  let until: Int64

  init(_ number: WaiterID, _ request: AcquireRequest, _ client: any LeaseClient, at now: MonotonicInstant) {
    (self.number, self.request, self.client) = (number, request, client)
    begun = now.nanoseconds
    until = (now + request.wait).nanoseconds
  }
}

/// An entry of ours in some queues, as this server wrote it last.
struct Place: Sendable {
  let id: LeaseID
  /// One for each lock; all have the same revisions.
  var entries: [QueueEntry]

  var name: String { entries[0].name }
  var created: Int64 { entries[0].created }
  var modified: Int64 { entries[0].modified }
  var locks: [String] { entries.map(\.lock) }

  /// The same, written at a revision.
  func written(at revision: Int64, isNew: Bool, lease: Int64) -> Place {
    var place = self
    for index in place.entries.indices {
      if isNew { place.entries[index].created = revision }
      (place.entries[index].modified, place.entries[index].lease) = (revision, lease)
    }
    return place
  }

  /// Changes all entries.
  mutating func change(_ body: (inout QueueEntry) -> Void) {
    for index in entries.indices { body(&entries[index]) }
  }
}

/// An acquire that waits here.
struct Waiter: Sendable {
  let attempt: Attempt
  var place: Place
  /// True while somebody is about to put it on a lease of its own.
  var isBinding = false
}

/// A lease that this server granted, or told of.
struct Held: Sendable {
  var place: Place
  /// Nanoseconds of CLOCK_MONOTONIC: when its holder believes it ends.
  var deadline: Int64
  /// The connection that it ends with, and that this server renews it for; 0 for none.
  var connection: ConnectionID = 0
  var renewsAt: Int64 = .max
  var followers: [any LeaseClient] = []
}

/// The session that waiters hang on.
struct Session: Sendable {
  let lease: Int64
  /// When the last keepalive that was answered was sent.
  var sent: Int64
}

/// All that is known here; guarded by one mutex, and never the basis of a grant.
struct EtcdState: Sendable {
  var view: ClusterView
  var attempts: [WaiterID: Attempt] = [:]
  var waiters: [WaiterID: Waiter] = [:]
  var waitersByLock: [String: Set<WaiterID>] = [:]
  var lastWaiter: WaiterID = 0
  var held: [String: Held] = [:]
  /// Entries that are being put on the session, and are not to be taken for lost.
  var sending: Set<String> = []
  var session: Session?
  /// Puts of which nobody knows whether they were carried out.
  var unsettled: [Place] = []
  var ends = EndMemory()
  /// Since when locks have been without entries, nanoseconds of CLOCK_MONOTONIC.
  var idleSince: [String: Int64] = [:]
  var watches = LockWatchTable()
  let log: EventLog
  var counters = ServiceCounters()
  /// Idempotency-Keys that were taken back here.
  var canceled = CanceledKeys()
  var isDraining = false
  /// Why etcd cannot be used; `nil` where it can.
  var fault: String?
}

/// The ring of events, whose accesses the state's mutex orders.
struct EventLog: @unchecked Sendable {
  private let ring: EventRing

  init(capacity: Int) {
    ring = EventRing(capacity: capacity)
    ring.epoch = UInt64.random(in: 1...(1 << 52))
  }

  func append(_ event: LedgerEvent) { ring.append(event) }
  func events(from number: UInt64, limit: Int) -> EventBatch { ring.events(from: number, limit: limit) }
}

/// The last ends that this server saw, so that holders learn how their leases ended.
struct EndMemory: Sendable {
  private static let max = 10_000
  private var byName: [String: (reason: EndReason, lock: String, ref: String, at: Int64)] = [:]
  private var order: [String] = []
  private var oldest = 0

  mutating func note(_ entry: QueueEntry, _ reason: EndReason, at now: Int64) {
    if byName.updateValue((reason, entry.lock, entry.ref, now), forKey: entry.name) != nil { return }
    if order.count < Self.max {
      order.append(entry.name)
    } else {
      byName[order[oldest]] = nil
      order[oldest] = entry.name
      oldest = (oldest + 1) % Self.max
    }
  }

  subscript(name: String) -> (reason: EndReason, lock: String, ref: String, at: Int64)? { byName[name] }
}

/// The watchers that wait for locks to change.
struct LockWatchTable: Sendable {
  private var last: WatchID = 0
  private var byID: [WatchID: (lock: String, watcher: any LockWatcher)] = [:]
  private var byLock: [String: Set<WatchID>] = [:]

  var count: Int { byID.count }

  mutating func add(_ lock: String, _ watcher: any LockWatcher) -> WatchID {
    last += 1
    byID[last] = (lock, watcher)
    byLock[lock, default: []].insert(last)
    return last
  }

  mutating func remove(_ id: WatchID) {
    guard let lock = byID.removeValue(forKey: id)?.lock else { return }
    byLock[lock]?.remove(id)
    if byLock[lock]?.isEmpty ?? false { byLock[lock] = nil }
  }

  /// Those who watch a lock; they watch it no longer.
  mutating func take(_ lock: String) -> [any LockWatcher] {
    (byLock.removeValue(forKey: lock) ?? []).sorted().compactMap { byID.removeValue(forKey: $0)?.watcher }
  }
}
