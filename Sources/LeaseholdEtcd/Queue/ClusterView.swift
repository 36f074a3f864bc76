internal import EtcdGateway
internal import Leasehold

/// The keys of all locks as this server saw them last: any former state of the cluster, and never a basis for more than
/// the choice of a guard.
struct ClusterView: Sendable {
  let layout: EtcdLayout
  /// All changes up to this revision are in it.
  private(set) var revision: Int64 = 0
  private(set) var locks: [String: LockQueue] = [:]
  /// The locks of each entry.
  private(set) var places: [String: Set<String>] = [:]
  private(set) var entryCount = 0
  private(set) var waiterCount = 0
  /// Queues that were read by themselves, at revisions that are still ahead.
  private var ahead: [String: LockQueue] = [:]

  init(_ layout: EtcdLayout) { self.layout = layout }

  /// Something that a look at the cluster found out.
  enum Change: Sendable {
    case put(QueueEntry, before: QueueEntry?)
    case removed(QueueEntry, StoredEnd?, at: Int64)
    case kind(lock: String)

    /// The lock that changed.
    var lock: String {
      switch self {
      case .put(let entry, _), .removed(let entry, _, _): entry.lock
      case .kind(let lock): lock
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
    var queue = locks[lock] ?? LockQueue()
    queue.revision = revision
    return queue
  }

  /// Takes in the queue of one lock, read whole at one revision; false where it is no news.
  mutating func see(_ lock: String, _ queue: LockQueue) -> Bool {
    guard queue.revision > self.queue(lock).revision else { return false }
    ahead[lock] = queue
    return true
  }

  /// The entries of that name.
  func entries(_ name: String) -> [QueueEntry] {
    (places[name] ?? []).sorted().compactMap { locks[$0]?[name] }
  }

  /// Takes in what a watch tells.
  mutating func apply(_ events: [EtcdEvent]) -> [Change] {
    var ends: [String: StoredEnd] = [:]
    for case .put(let entry) in events {
      if case .end(let name) = layout.name(of: entry.key) { ends[name] = StoredEnd(entry.value) }
    }
    var changes: [Change] = []
    for event in events {
      switch event {
      case .put(let entry):
        guard entry.modified > revision else { continue }
        changes += put(entry).map { [$0] } ?? []
      case .deleted(let key, let at):
        guard at > revision else { continue }
        changes += remove(key, ends, at: at).map { [$0] } ?? []
      }
    }
    let last = events.map {
      switch $0 {
      case .put(let entry): entry.modified
      case .deleted(_, let at): at
      }
    }
    advance(to: last.max() ?? 0)
    return changes
  }

  /// Takes in a list of all keys.
  mutating func replace(by listing: EtcdListing) -> [Change] {
    guard listing.revision > revision else { return [] }
    var found: Set<String> = []
    var ends: [String: StoredEnd] = [:]
    var changes: [Change] = []
    for entry in listing.entries {
      found.insert(entry.key)
      if case .end(let name) = layout.name(of: entry.key) { ends[name] = StoredEnd(entry.value) }
      changes += put(entry).map { [$0] } ?? []
    }
    for (lock, queue) in locks {
      for entry in queue.entries where !found.contains(layout.entry(lock, entry.name)) {
        changes += remove(layout.entry(lock, entry.name), ends, at: listing.revision).map { [$0] } ?? []
      }
      if queue.kind != nil, !found.contains(layout.kind(lock)) {
        changes += remove(layout.kind(lock), [:], at: listing.revision).map { [$0] } ?? []
      }
    }
    advance(to: listing.revision)
    return changes
  }

  private mutating func advance(to revision: Int64) {
    self.revision = max(self.revision, revision)
    for (lock, queue) in ahead where queue.revision <= self.revision { ahead[lock] = nil }
  }

  private mutating func put(_ entry: EtcdEntry) -> Change? {
    switch layout.name(of: entry.key) {
    case .entry(let lock, let name):
      var queue = locks[lock] ?? LockQueue()
      let (now, before) = (QueueEntry(entry, lock: lock, name: name), queue[name])
      guard now != before else { return nil }
      if let before { forget(before) }
      note(now)
      queue.put(now)
      locks[lock] = queue
      return .put(now, before: before)
    case .kind(let lock):
      var queue = locks[lock] ?? LockQueue()
      guard queue.kindModified != entry.modified else { return nil }
      (queue.kind, queue.kindModified) = (StoredKind.kind(entry.value), entry.modified)
      locks[lock] = queue
      return .kind(lock: lock)
    case .end, .other: return nil
    }
  }

  private mutating func remove(_ key: String, _ ends: [String: StoredEnd], at revision: Int64) -> Change? {
    switch layout.name(of: key) {
    case .entry(let lock, let name):
      guard var queue = locks[lock], let entry = queue.remove(name) else { return nil }
      locks[lock] = queue
      forget(entry)
      collect(lock)
      return .removed(entry, ends[name], at: revision)
    case .kind(let lock):
      guard var queue = locks[lock] else { return nil }
      (queue.kind, queue.kindModified) = (nil, 0)
      locks[lock] = queue
      collect(lock)
      return .kind(lock: lock)
    case .end, .other: return nil
    }
  }

  private mutating func note(_ entry: QueueEntry) {
    if places[entry.name, default: []].insert(entry.lock).inserted { entryCount += 1 }
    if entry.isWaiting { waiterCount += 1 }
  }

  private mutating func forget(_ entry: QueueEntry) {
    if places[entry.name]?.remove(entry.lock) != nil { entryCount -= 1 }
    if places[entry.name]?.isEmpty ?? false { places[entry.name] = nil }
    if entry.isWaiting { waiterCount -= 1 }
  }

  private mutating func collect(_ lock: String) {
    guard let queue = locks[lock], queue.entries.isEmpty, queue.kind == nil else { return }
    locks[lock] = nil
  }
}
