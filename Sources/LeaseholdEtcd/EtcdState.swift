internal import Leasehold
internal import LeaseholdQueue
import Synchronization

/// A call on its way that takes a place in a queue.
final class Call: Sendable {
  /// The wish of the call.
  enum Wanted: Sendable {
    /// A lease that is to get this id.
    case lease(AcquireRequest, LeaseID)
    case mode(ConvertRequest)
  }

  let number: WaiterID
  let wanted: Wanted
  let client: any LeaseClient
  /// Nanoseconds of CLOCK_MONOTONIC.
  let begun: Int64
  let until: Int64
  let wait: TimeSpan
  /// The locks that it wants to lease, in the order in which they were asked for.
  let wants: [Want]

  private static let last = Atomic<WaiterID>(0)

  init(_ wanted: Wanted, _ client: any LeaseClient, at now: MonotonicInstant) {
    number = Self.last.add(1, ordering: .relaxed).newValue
    (self.wanted, self.client, begun) = (wanted, client, now.nanoseconds)
    (wait, wants) =
      switch wanted {
      case .lease(let request, _): (request.wait, request.wants)
      case .mode(let request): (request.wait, [])
      }
    // Who lost a race three times stands in the queue for a moment, even without a wait.
    until = (now + (wait > .zero ? wait : .seconds(1))).nanoseconds
  }

  /// The locks, in the order in which they were asked for.
  var keys: [LockKey] {
    if case .mode(let request) = wanted { [request.lock.key] } else { wants.map(\.lock.key) }
  }

  /// The kinds of the locks that it wants to lease.
  var kinds: [String: QueueKind] {
    Dictionary(uniqueKeysWithValues: wants.map { (EtcdNames.encoded($0.lock.key), QueueKind(limit: $0.limit)) })
  }

  /// The request, where it wants a lease.
  var request: AcquireRequest? {
    if case .lease(let request, _) = wanted { request } else { nil }
  }
}

extension AcquireRequest {
  /// All locks that are asked for.
  var wants: [Want] { [want] + others }
}

/// A call that waits here.
struct Waiter: Sendable {
  let call: Call
  var place: any QueueCall
  /// True while a thread is about to put it on a lease of its own.
  var isBinding = false
}

/// A lease that this server granted, or told of.
struct Held: Sendable {
  let id: LeaseID
  /// The lease as this server wrote it last.
  var grant: Attempt.Grant
  /// Takes the grant back, as long as nothing came after it.
  var taken: (any QueueCall)?
  /// The kinds of its locks, which what this server is told may not show yet.
  var kinds: [String: QueueKind] = [:]
  /// The connection that it ends with, and that this server renews it for; 0 for none.
  var connection: ConnectionID = 0
  var renewsAt: Int64 = .max
  var followers: [any LeaseClient] = []

  /// Nanoseconds of CLOCK_MONOTONIC: when its holder believes it ends.
  var deadline: Int64 { grant.deadline }
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
  var calls: [WaiterID: Call] = [:]
  var waiters: [WaiterID: Waiter] = [:]
  var waitersByLock: [String: Set<WaiterID>] = [:]
  var held: [String: Held] = [:]
  /// Entries that are being put on the session, and are not to be taken for lost, and how often.
  var sending: [String: Int] = [:]
  var session: Session?
  /// Calls that nobody waits for any more, and that have something to take back.
  var leftovers: [any QueueCall] = []
  var ends = EndMemory()
  /// Since when locks have been without entries, nanoseconds of CLOCK_MONOTONIC.
  var idleSince: [String: Int64] = [:]
  var watches = LockWatchTable()
  let log: EventLog
  var counters = ServiceCounters()
  /// The versions of the members that answered last, and how often the watch began anew.
  var cluster = ClusterStatus()
  /// Idempotency-Keys that were taken back here.
  var canceled = RecentKeys<CallersKey>()
  var pace = WatchPace()
  /// The chores that the clock has begun.
  var chores: Set<Int> = []
  var isDraining = false
  /// Why parts of the work with etcd fail now.
  var faults: [Part: String] = [:]
  /// Notices of changes, to be given once the mutex is free.
  var notices: [@Sendable () -> Void] = []

  /// A part of the work with etcd.
  enum Part: CaseIterable {
    case session, watch, rights
  }

  /// Why etcd cannot be used; `nil` where it can.
  var fault: String? { Part.allCases.lazy.compactMap { faults[$0] }.first }

  /// The queue of a lock, as it was seen last, without the entries that this server knows to be gone since.
  ///
  /// No entry comes back: an end is newer than whatever is still seen of it. But an end with a grace leaves the place
  /// taken, which a view from before it does not show.
  func queue(_ lock: String) -> LockQueue {
    var queue = view.queue(lock)
    for entry in queue.entries where ends[entry.name]?.grace == 0 && !entry.value.needsMark {
      _ = queue.remove(entry.key)
    }
    return queue
  }

  /// Forgets a waiter.
  mutating func removeWaiter(_ number: WaiterID) -> Waiter? {
    guard let waiter = waiters.removeValue(forKey: number) else { return nil }
    for lock in waiter.place.locks {
      waitersByLock[lock]?.remove(number)
      if waitersByLock[lock]?.isEmpty ?? false { waitersByLock[lock] = nil }
    }
    return waiter
  }

  /// Tells those who follow a lease of its deadline.
  mutating func tell(_ held: Held) {
    let deadline = MonotonicInstant(nanoseconds: held.deadline)
    notices += held.followers.map { client in { client.renewed(until: deadline) } }
  }

  /// Forgets a lease, and tells those who follow it.
  mutating func end(_ name: String, _ reason: EndReason, _ note: BreakNote?, at now: MonotonicInstant) {
    let followers = held.removeValue(forKey: name)?.followers ?? []
    notices += followers.map { client in { client.ended(reason, note, at: now) } }
  }

  /// Tells whether each change is to be heard at once, as a caller here waits for a lock or follows a lease.
  mutating func isHurried(at now: Int64) -> Bool {
    if pace.isWanted(at: now + WatchPace.linger / 2) { return true }
    if !waiters.isEmpty || watches.count > 0 || held.values.contains(where: { !$0.followers.isEmpty }) {
      pace.want(at: now)
    }
    return pace.isWanted(at: now)
  }
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
  private var byName: [String: EndValue] = [:]
  private var names = RecentKeys<String>(keysMax: 10_000)

  mutating func note(_ name: String, _ end: EndValue) {
    byName[name] = end
    if let forgotten = names.insert(name) { byName[forgotten] = nil }
  }

  subscript(name: String) -> EndValue? { byName[name] }

  /// The latest end of a lease with such a short name; a look at all of them.
  func latest(ref: String) -> EndValue? {
    byName.values.lazy.filter { $0.ref == ref }.max { $0.at < $1.at }
  }
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
