internal import EtcdGateway
internal import LeaseholdQueue

/// The keys of all locks as this server saw them last: any former state of the cluster, and never a basis for more than
/// the choice of a guard.
struct ClusterView: Sendable {
  let store: QueueStore
  /// All changes up to this revision are in it.
  private(set) var revision: Int64 = 0
  private(set) var locks: [String: LockQueue] = [:]
  /// The locks of each entry.
  private(set) var places: [String: Set<String>] = [:]
  /// The names of leases with a mark that they are in time.
  private(set) var inTime: Set<String> = []
  private(set) var waiterCount = 0
  /// The locks that are to become smaller.
  private(set) var shrinking: Set<String> = []
  /// Queues that were read by themselves, at revisions that are still ahead.
  private var ahead: [String: LockQueue] = [:]

  init(_ store: QueueStore) { self.store = store }

  /// Something that a look at the cluster found out.
  enum Change: Sendable {
    case put(QueueEntry, before: QueueEntry?)
    case removed(QueueEntry, EndValue?)
    /// A lock in use has another capacity.
    case resized(lock: String, to: Int)
    /// The place stays, but the lease is over.
    case lapsed(QueueEntry)
    /// Nothing that a lease begins or ends with.
    case other(lock: String)

    /// The lock that changed.
    var lock: String {
      switch self {
      case .put(let entry, _), .removed(let entry, _), .lapsed(let entry): entry.lock
      case .other(let lock), .resized(let lock, _): lock
      }
    }
  }

  /// The queue of a lock, as it was seen last, with the revision that it is of.
  func queue(_ lock: String) -> LockQueue {
    if let queue = ahead[lock], queue.revision > revision { return queue }
    return followed(lock)
  }

  /// The queue of a lock as the watch has told it.
  func followed(_ lock: String) -> LockQueue {
    var queue = locks[lock] ?? LockQueue(lock, [], kind: nil, kindModified: 0, revision: 0)
    queue.revision = revision
    return queue
  }

  /// Takes in the queue of one lock, read whole at one revision.
  mutating func see(_ queue: LockQueue) {
    if queue.isWhole, queue.revision > self.queue(queue.lock).revision { ahead[queue.lock] = queue }
  }

  /// The entries of a lease, in the order of its locks.
  func entries(_ name: String) -> [QueueEntry] {
    let found = (places[name] ?? []).compactMap { locks[$0]?.entry(name) }
    return found.first?.allLocks.compactMap { lock in found.first { $0.lock == lock } } ?? []
  }

  /// Tells whether the time of a lease is over, while its place is kept.
  func isCooling(_ entry: QueueEntry) -> Bool {
    entry.value.needsMark && !entry.value.isWaiting && !inTime.contains(entry.name)
  }

  /// The leases whose time is over, while their places are kept.
  var coolingCount: Int { places.keys.count { name in entries(name).first.map(isCooling) ?? false } }

  /// Takes in what a watch tells.
  mutating func apply(_ events: [EtcdEvent]) -> [Change] {
    var ends: [String: EndValue] = [:]
    for case .put(let entry) in events { note(entry, in: &ends) }
    var (changes, last): ([Change], Int64) = ([], 0)
    for event in events {
      switch event {
      case .put(let entry):
        last = max(last, entry.modified)
        guard entry.modified > revision else { continue }
        changes += put(entry).map { [$0] } ?? []
      case .deleted(let key, let at):
        last = max(last, at)
        guard at > revision else { continue }
        changes += remove(key, ends).map { [$0] } ?? []
      }
    }
    advance(to: last)
    return changes
  }

  /// The keys that ``replace(by:)`` has to know: how leases ended, of those only that ended since.
  var needs: [EtcdRange] {
    var ranges = ["a/", "c/", "q/"].map { EtcdRange(.prefix(store.names.prefix + $0)) }
    guard revision > 0 else { return ranges }
    var ends = EtcdRange(.prefix(store.names.prefix + "d/"))
    ends.createdFrom = revision + 1
    ranges.append(ends)
    return ranges
  }

  /// Takes in a list of all keys that are needed.
  mutating func replace(by listing: EtcdListing) -> [Change] {
    guard listing.revision > revision else { return [] }
    var (found, ends, changes): (Set<String>, [String: EndValue], [Change]) = ([], [:], [])
    // In the order in which they came to be, as a watch tells of them.
    for entry in listing.entries.sorted(by: { ($0.created, $0.key) < ($1.created, $1.key) }) {
      found.insert(entry.key)
      note(entry, in: &ends)
      changes += put(entry).map { [$0] } ?? []
    }
    var known = inTime.map { QueueKey.inTime($0) }
    for (lock, queue) in locks {
      known += queue.entries.map(\.key)
      if queue.kind != nil { known.append(.kind(lock)) }
    }
    // A lease before its mark, as in a transaction.
    for key in known.map(store.names.text).sorted(by: >) where !found.contains(key) {
      changes += remove(key, ends).map { [$0] } ?? []
    }
    advance(to: listing.revision)
    return changes
  }

  private func note(_ entry: EtcdEntry, in ends: inout [String: EndValue]) {
    if case .end(let name) = store.names.key(entry.key) { ends[name] = EndValue(stored: entry.value) }
  }

  private mutating func advance(to revision: Int64) {
    self.revision = max(self.revision, revision)
    for (lock, queue) in ahead where queue.revision <= self.revision { ahead[lock] = nil }
  }

  private mutating func change<Result>(_ lock: String, _ body: (inout LockQueue) -> Result) -> Result {
    var queue = locks.removeValue(forKey: lock) ?? LockQueue(lock, [], kind: nil, kindModified: 0, revision: 0)
    let result = body(&queue)
    if !queue.entries.isEmpty || queue.kind != nil { locks[lock] = queue }
    return result
  }

  private mutating func put(_ found: EtcdEntry) -> Change? {
    switch store.names.key(found.key) {
    case .entry(let lock, _), .upgrade(let lock, _):
      guard let now = store.entry(found) else { return nil }
      let before = change(lock) { queue in
        defer { queue.put(now) }
        return queue.remove(now.key)
      }
      guard now != before else { return nil }
      if let before { forget(before) }
      if now.value.shrinksTo != nil {
        shrinking.insert(lock)
        return .other(lock: lock)
      }
      if !now.isUpgrade { places[now.name, default: []].insert(lock) }
      if now.value.isWaiting { waiterCount += 1 }
      return .put(now, before: before)
    case .kind(let lock):
      return change(lock) { queue in
        guard queue.kindModified != found.modified else { return nil }
        let before = queue.kind
        (queue.kind, queue.kindModified) = (QueueKind(stored: found.value), found.modified)
        guard before != nil, before != queue.kind, case .counting(let limit)? = queue.kind else {
          return .other(lock: lock)
        }
        return .resized(lock: lock, to: limit)
      }
    case .inTime(let name):
      inTime.insert(name)
      return nil
    case .locks, .retry, .end, nil: return nil
    }
  }

  private mutating func remove(_ key: String, _ ends: [String: EndValue]) -> Change? {
    let key = store.names.key(key)
    switch key {
    case .entry(let lock, let name)?, .upgrade(let lock, let name)?:
      guard let key, let entry = change(lock, { $0.remove(key) }) else { return nil }
      let isOver = isCooling(entry) && ends[name] == nil
      if entry.value.shrinksTo != nil {
        if locks[lock]?.blockers.isEmpty ?? true { shrinking.remove(lock) }
        return .other(lock: lock)
      }
      forget(entry)
      return isOver ? .other(lock: lock) : .removed(entry, ends[name] ?? entry.value.end)
    case .kind(let lock)?:
      change(lock) { ($0.kind, $0.kindModified) = (nil, 0) }
      return .other(lock: lock)
    case .inTime(let name)?:
      guard inTime.remove(name) != nil, let entry = entries(name).first, entry.value.needsMark else { return nil }
      return .lapsed(entry)
    case .locks?, .retry?, .end?, nil: return nil
    }
  }

  private mutating func forget(_ entry: QueueEntry) {
    if entry.value.isWaiting { waiterCount -= 1 }
    guard !entry.isUpgrade else { return }
    places[entry.name]?.remove(entry.lock)
    if places[entry.name]?.isEmpty ?? false { places[entry.name] = nil }
  }
}
