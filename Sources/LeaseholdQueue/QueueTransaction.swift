/// A name in the store.
package enum QueueKey: Hashable, Sendable {
  /// The place of a lease in the queue of a lock.
  case entry(lock: String, String)
  /// The second place of a lease that becomes a writer.
  case upgrade(lock: String, String)
  /// The locks of a lease.
  case locks(String)
  /// A mark that a lease with a cooldown or a grace is still in time.
  case inTime(String)
  /// The entry of an Idempotency-Key.
  case retry(String)
  /// The end of a lease.
  case end(String)
  /// The kind and capacity of a lock.
  case kind(String)
}

/// A condition of a transaction; the revision, or the lease, of a key that is not there is 0.
package enum QueueGuard: Hashable, Sendable {
  /// The key was created at this revision; 0: is not there.
  case created(QueueKey, Int64)
  /// The key was written last at this revision.
  case modified(QueueKey, Int64)
  /// The key hangs on this lease.
  case lease(QueueKey, Int64)
  case exists(QueueKey)
  /// Nothing came into the queue of the lock after this revision; what was written again does not count.
  case nothingCreated(lock: String, since: Int64)
  /// Nothing is in the queue of the lock.
  case isEmpty(lock: String)
}

/// A lease of the store that a key hangs on; the caller finds, or grants, one of the class.
package enum LeaseClass: Hashable, Sendable {
  /// Stays until it is deleted.
  case none
  /// Ends with the server.
  case session
  /// Young enough to last so many milliseconds from the sending on; never kept alive, never revoked.
  case young(Int64)
  /// The same, for a mark that must *not* outlive its time by more than the store's precision.
  case marker(Int64)
  /// Lasts ten minutes.
  case tombstone
}

/// A value to store.
package enum QueueValue: Hashable, Sendable {
  case entry(EntryValue)
  case end(EndValue)
  case kind(QueueKind)
  /// The locks of a lease.
  case locks([String])
  case retry(RetryValue)
  case bytes([UInt8])
}

/// The entries that an Idempotency-Key has got.
package struct RetryValue: Hashable, Sendable {
  /// The name of the entries.
  package var name: String
  /// Differs when the request does.
  package var fingerprint: String
  /// Words that only who knows the Idempotency-Key can read.
  package var secret: String

  /// A request that has its entries.
  package init(name: String, fingerprint: String = "", secret: String = "") {
    (self.name, self.fingerprint, self.secret) = (name, fingerprint, secret)
  }
}

/// A change of one key.
package enum QueueWrite: Hashable, Sendable {
  case put(QueueKey, QueueValue, on: LeaseClass)
  /// Leaves the value and hangs the key on another lease.
  case move(QueueKey, on: LeaseClass)
  case delete(QueueKey)

  /// The lease that the key hangs on from then on.
  package var lease: LeaseClass? {
    switch self {
    case .put(_, _, let lease), .move(_, let lease): lease
    case .delete: nil
    }
  }
}

/// A question of a transaction whose guards failed.
package enum QueueLook: Hashable, Sendable {
  /// The queue of a lock, with its kind.
  case queue(String)
  case key(QueueKey)
}

/// Writes at one revision if all guards hold; else it looks, ordered with all writes.
package struct QueueTransaction: Hashable, Sendable {
  package var guards: [QueueGuard]
  package var writes: [QueueWrite]
  package var looks: [QueueLook]

  init(if guards: [QueueGuard], then writes: [QueueWrite], else looks: [QueueLook] = []) {
    // Only a transaction that writes is ordered by the store's consensus.
    precondition(!writes.isEmpty)
    (self.guards, self.writes, self.looks) = (guards, writes, looks)
  }

  /// True where it hangs something on the server's session.
  package var needsSession: Bool { writes.contains { $0.lease == .session } }
}

/// A look at some locks and one lease; any former state, unless a failed guard showed it.
package struct Sight: Hashable, Sendable {
  /// One for each lock that was asked for, in that order.
  package var queues: [LockQueue]
  /// The end of the lease, where it is remembered.
  package var end: EndValue?
  /// True while the mark of a lease with a cooldown or a grace is there.
  package var isInTime: Bool
  /// The entry of the Idempotency-Key, where it is known.
  package var retried: RetryValue?
  /// The locks of the lease, where that was asked.
  package var locks: [String] = []

  /// A sight of queues.
  package init(_ queues: [LockQueue], end: EndValue? = nil, isInTime: Bool = false, retried: RetryValue? = nil) {
    (self.queues, self.end, self.isInTime, self.retried) = (queues, end, isInTime, retried)
  }
}

/// The traces of a transaction that was carried out.
package struct Written: Hashable, Sendable {
  /// The revision of all its writes.
  package var revision: Int64
  /// The lease of the class that the entries were put on.
  package var lease: Int64
  /// Until when the lease is its holder's for sure: by the caller's clock, counted from the first sending.
  package var deadline: Int64

  /// Says what a transaction wrote.
  package init(revision: Int64, lease: Int64 = 0, deadline: Int64 = .max) {
    (self.revision, self.lease, self.deadline) = (revision, lease, deadline)
  }
}

/// The result of a transaction.
package enum QueueOutcome: Hashable, Sendable {
  case done(Written)
  /// A guard failed; this is what was looked at.
  case kept(Sight)
  /// It may have happened, or may happen later.
  case unknown
  /// Its session is gone; nothing was written.
  case sessionGone
}
