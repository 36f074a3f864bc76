/// The kind of a lock, and how much of it there is.
package enum QueueKind: Hashable, Sendable {
  /// So many units, one for each count.
  case counting(limit: Int)
  /// A writer takes all units, a reader one.
  case readersWriter

  /// The units of a lock with readers and a writer.
  package static let readerUnits = 16_384

  package var capacity: Int {
    switch self {
    case .counting(let limit): limit
    case .readersWriter: Self.readerUnits
    }
  }
}

/// The queue of one lock at one revision.
///
/// An entry is held if and only if the units of all entries up to and including it fit the capacity.
package struct LockQueue: Hashable, Sendable {
  package let lock: String
  /// In the order of their create revisions.
  package private(set) var entries: [QueueEntry]
  /// `nil` for a lock that nobody has used since it was collected.
  package var kind: QueueKind?
  /// The revision of the kind's last write; 0 where there is none.
  package var kindModified: Int64
  /// All that was created up to this revision is here, if it still is there.
  package var revision: Int64
  /// False where it was too long to be read to its end: it has no room then.
  package var isWhole = true

  /// A queue as it was read.
  package init(
    _ lock: String, _ entries: [QueueEntry], kind: QueueKind?, kindModified: Int64, revision: Int64
  ) {
    self.lock = lock
    self.entries = entries.sorted { ($0.created, $0.isUpgrade ? 1 : 0) < ($1.created, $1.isUpgrade ? 1 : 0) }
    (self.kind, self.kindModified, self.revision) = (kind, kindModified, revision)
  }

  /// Puts an entry where its create revision says, in place of what is known of it.
  package mutating func put(_ entry: QueueEntry) {
    _ = remove(entry.key)
    let index = entries.lastIndex { $0.created <= entry.created }.map { $0 + 1 } ?? 0
    entries.insert(entry, at: index)
  }

  /// Takes an entry out.
  package mutating func remove(_ key: QueueKey) -> QueueEntry? {
    entries.firstIndex { $0.key == key }.map { entries.remove(at: $0) }
  }

  /// The queue as it is when one who waits is gone.
  package func withoutWaiter(_ name: String) -> LockQueue {
    var queue = self
    queue.entries.removeAll { $0.name == name && $0.value.isWaiting }
    return queue
  }

  package var capacity: Int { kind?.capacity ?? 0 }

  /// The units of all entries together.
  package var units: Int { Self.sum(entries[...]) }

  private static func sum(_ entries: ArraySlice<QueueEntry>) -> Int {
    entries.reduce(0) { $0 &+ min(max(0, $1.value.units), Int(Int32.max)) }
  }

  /// The place of a lease.
  package func entry(_ name: String) -> QueueEntry? { entries.first { $0.name == name && !$0.isUpgrade } }

  /// The place of a lease as a writer, bound or not.
  package func upgrade(_ name: String) -> QueueEntry? { entries.first { $0.name == name && $0.isUpgrade } }

  /// Tells whether an entry's units fit with all that stands before it.
  package func holds(_ entry: QueueEntry) -> Bool {
    guard let index = entries.firstIndex(where: { $0.name == entry.name && $0.isUpgrade == entry.isUpgrade }) else {
      return false
    }
    return Self.sum(entries[...index]) <= capacity
  }

  /// Tells whether more units fit behind all that is there, in a lock of that kind.
  package func hasRoom(for more: Int, as kind: QueueKind) -> Bool {
    isWhole && units <= (self.kind.flatMap { entries.isEmpty ? nil : $0 } ?? kind).capacity - more
  }

  /// The entries that do not fit yet.
  package var waiters: [QueueEntry] {
    var (sum, waiters): (Int, [QueueEntry]) = (0, [])
    for entry in entries {
      sum &+= min(max(0, entry.value.units), Int(Int32.max))
      if sum > capacity, entry.value.shrinksTo == nil { waiters.append(entry) }
    }
    return waiters
  }
}
