internal import Leasehold

/// The queue of one lock at one revision: an entry is held if and only if the units of all entries up to and including
/// it fit the capacity.
struct LockQueue: Sendable, Equatable {
  /// In the order in which they came.
  private(set) var entries: [QueueEntry] = []
  /// The kind; `nil` where nobody has taken the lock since it was collected.
  var kind: LockKind?
  /// The revision at which the kind was written; 0 where there is none.
  var kindModified: Int64 = 0
  /// The revision up to which all that was created in the queue is here.
  var revision: Int64 = 0

  init() {}

  /// The units that all entries together may have.
  var capacity: Int {
    switch kind {
    case .counting(let limit): limit
    case .readersWriter: Limits.readerUnits
    case .slots, nil: 0
    }
  }

  /// The sum of the units, of what stands in front too.
  private static func sum(_ entries: some Sequence<QueueEntry>) -> Int {
    entries.reduce(0) { $0 &+ min($1.units, Int(Int32.max)) }
  }

  /// Tells whether some units more fit behind all that is there.
  func hasRoom(for units: Int, of capacity: Int) -> Bool { Self.sum(entries) <= capacity - units }

  /// Tells whether an entry is held; `nil` where it is not there.
  func holds(_ name: String) -> Bool? {
    guard let index = entries.firstIndex(where: { $0.name == name }) else { return nil }
    return Self.sum(entries[...index]) <= capacity
  }

  /// The entries that are granted.
  var holders: [QueueEntry] { entries.filter { !$0.isWaiting } }

  /// The entries that wait, in order.
  var waiters: [QueueEntry] { entries.filter(\.isWaiting) }

  subscript(name: String) -> QueueEntry? { entries.first { $0.name == name } }

  /// Puts an entry where its create revision says, in place of what is known of it.
  mutating func put(_ entry: QueueEntry) {
    entries.removeAll { $0.name == entry.name }
    let index = entries.lastIndex { $0.created <= entry.created }.map { $0 + 1 } ?? 0
    entries.insert(entry, at: index)
  }

  @discardableResult
  mutating func remove(_ name: String) -> QueueEntry? {
    entries.firstIndex { $0.name == name }.map { entries.remove(at: $0) }
  }

  /// A number that tells this state from others, the same on all servers.
  var version: UInt64 {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for number in entries.flatMap({ [$0.created, $0.modified] }) + [kindModified] {
      hash = (hash ^ UInt64(bitPattern: number)) &* 0x0000_0100_0000_01b3
      hash ^= hash >> 29
    }
    return hash
  }
}
