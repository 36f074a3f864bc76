/// A place in the queue of one lock.
package struct QueueEntry: Hashable, Sendable {
  package let lock: String
  /// The same in the queues of all locks of one lease.
  package let name: String
  /// True for the second place of a lease that becomes a writer.
  package let isUpgrade: Bool
  /// The revision at which it came: its place, and once it is held its fence.
  package var created: Int64
  /// The revision of its last write.
  package var modified: Int64
  /// The lease of the store that it hangs on.
  package var lease: Int64
  package var value: EntryValue

  /// An entry as it was read.
  package init(
    lock: String, name: String, isUpgrade: Bool = false, created: Int64, modified: Int64, lease: Int64,
    value: EntryValue
  ) {
    (self.lock, self.name, self.isUpgrade) = (lock, name, isUpgrade)
    (self.created, self.modified, self.lease, self.value) = (created, modified, lease, value)
  }

  /// The entry as a transaction wrote it.
  func moved(_ written: Written) -> QueueEntry {
    var entry = self
    (entry.modified, entry.lease) = (written.revision, written.lease)
    return entry
  }

  /// Its name in the store.
  package var key: QueueKey { isUpgrade ? .upgrade(lock: lock, name) : .entry(lock: lock, name) }
}

/// The words that an entry says of itself.
package struct EntryValue: Hashable, Sendable {
  package var units: Int
  /// Milliseconds.
  package var ttl: Int64
  /// Milliseconds that the place is kept after its lease.
  package var cooldown: Int64 = 0
  /// 64 random bits of the attempt that wrote it: "this was me".
  package var mark: UInt64
  /// The session of the server that it waits at; 0 once it is granted.
  package var session: Int64 = 0
  /// Says that an operator has ended it.
  package var end: EndValue?
  /// The name of its Idempotency-Key.
  package var retry: String?
  /// The locks that are taken together, where they are several.
  package var locks: [String] = []
  package var isShared = false
  package var count = 1
  package var owner: String?
  /// The one who asked, for people.
  package var peer: String?
  /// Ten digits that everybody may see.
  package var ref = ""
  /// Milliseconds of the wall clock: when it was granted, or began to wait.
  package var at: Int64 = 0
  /// Milliseconds that it waited.
  package var waited: Int64 = 0
  /// Says that it ends with a connection; a server renews it as long.
  package var isBound = false
  /// The capacity that its lock gets when it is held: it is no lease, but an operator's.
  package var shrinksTo: Int?

  /// An entry of some units.
  package init(units: Int, ttl: Int64, mark: UInt64) { (self.units, self.ttl, self.mark) = (units, ttl, mark) }

  package var isWaiting: Bool { session != 0 }

  /// Says that its lease lasts only as long as its mark in time.
  package var needsMark: Bool { cooldown > 0 || end != nil }
}

/// The end of a lease, as it is remembered.
package struct EndValue: Hashable, Sendable {
  /// A word of the service: released, broken, undelivered.
  package var reason: String
  package var by: String?
  /// The words of an operator.
  package var note: String?
  /// The lock, all locks of a lease on several, and the ten digits of the lease, for who asks later.
  package var lock = ""
  package var locks: [String] = []
  package var ref = ""
  /// Milliseconds that its holder still had from then on.
  package var grace: Int64 = 0
  /// Milliseconds of the wall clock.
  package var at: Int64
  /// The attempt that made the end of its own put; 0 for all others.
  package var mark: UInt64 = 0

  /// The word of an end that nobody was told of.
  package static let undelivered = "undelivered"

  /// An end for a reason.
  package init(reason: String, by: String? = nil, at: Int64 = 0) {
    (self.reason, self.by, self.at) = (reason, by, at)
  }
}
