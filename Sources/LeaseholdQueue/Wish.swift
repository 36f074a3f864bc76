/// The things that an acquire asks for: places in the queues of one or several locks, taken together.
package struct Wish: Hashable, Sendable {
  /// A part of one lock.
  package struct Part: Hashable, Sendable {
    package let lock: String
    package let units: Int
    /// The kind of a lock that is new.
    package let kind: QueueKind
    /// True where a lock with another limit is refused.
    package let insists: Bool

    /// Units of a lock of that kind.
    package init(_ lock: String, units: Int, kind: QueueKind, insists: Bool = false) {
      (self.lock, self.units, self.kind, self.insists) = (lock, units, kind, insists)
    }

    /// The words of the part's entry.
    func words(_ value: EntryValue) -> EntryValue {
      var own = value
      own.units = units
      switch kind {
      case .counting: (own.isShared, own.count) = (false, units)
      case .readersWriter: (own.isShared, own.count) = (units < QueueKind.readerUnits, 1)
      }
      return own
    }

    /// Tells whether the lock as it is can ever give it.
    func fits(_ found: QueueKind?) -> Bool {
      switch (found, kind) {
      case (nil, _): true
      case (.counting(let limit)?, .counting(let wanted)): units <= limit && (!insists || limit == wanted)
      case (.readersWriter?, .readersWriter): true
      case (.counting?, .readersWriter), (.readersWriter?, .counting): false
      }
    }
  }

  /// The name of the lease's entries.
  package let name: String
  package let parts: [Part]
  /// The words of the entries; the units are each part's.
  package var value: EntryValue
  /// True to queue where there is no room.
  package var waits = true
  /// The most that may wait for a lock, with this one.
  package var maxWaiters: Int?
  /// The most that may wait, about: a longer queue is not read.
  package var queueMax = Int.max
  /// The Idempotency-Key's entry.
  package var retry: RetryValue

  /// A wish for at least one part; all locks are different.
  package init(_ name: String, _ parts: [Part], value: EntryValue) {
    precondition(!parts.isEmpty && Set(parts.map(\.lock)).count == parts.count)
    (self.name, self.parts, self.value, retry) = (name, parts, value, RetryValue(name: name))
    if parts.count > 1 { self.value.locks = parts.map(\.lock) }
  }

  package var locks: [String] { parts.map(\.lock) }
}

/// The writes of all entries of one lease at once: they, their locks, their Idempotency-Key, their mark in time.
enum LeaseWrites {
  /// Puts the entries with new values; their Idempotency-Key's moves along, unless it is put with them.
  static func put(
    _ name: String, _ entries: [(lock: String, value: EntryValue)], on lease: LeaseClass, retry: RetryValue? = nil
  ) -> [QueueWrite] {
    var writes = entries.map { QueueWrite.put(.entry(lock: $0.lock, name), .entry($0.value), on: lease) }
    writes.append(.put(.locks(name), .locks(entries.map(\.lock)), on: lease))
    guard let value = entries.first?.value else { return writes }
    if value.cooldown > 0, case .young = lease {
      writes.append(.put(.inTime(name), .bytes([]), on: .marker(value.ttl)))
    }
    if let key = value.retry {
      writes.append(retry.map { .put(.retry(key), .retry($0), on: lease) } ?? .move(.retry(key), on: lease))
    }
    return writes
  }

  /// Hangs entries that are there on another lease.
  static func move(_ entries: [QueueEntry], on lease: LeaseClass) -> [QueueWrite] {
    guard let first = entries.first else { return [] }
    var writes = entries.map { QueueWrite.move($0.key, on: lease) }
    writes.append(.move(.locks(first.name), on: lease))
    if let retry = first.value.retry { writes.append(.move(.retry(retry), on: lease)) }
    if first.value.cooldown > 0 { writes.append(.move(.inTime(first.name), on: .marker(first.value.ttl))) }
    return writes
  }

  /// Deletes entries, and remembers the end.
  ///
  /// - Parameter keepsRetry: True where a retry is to learn of the end.
  static func delete(_ entries: [QueueEntry], _ end: EndValue, keepsRetry: Bool) -> [QueueWrite] {
    guard let first = entries.first else { return [] }
    var writes: [QueueWrite] = []
    for entry in entries {
      writes += [.delete(.entry(lock: entry.lock, entry.name)), .delete(.upgrade(lock: entry.lock, entry.name))]
    }
    writes += [.delete(.locks(first.name)), .delete(.inTime(first.name))]
    writes.append(.put(.end(first.name), .end(end), on: .tombstone))
    if let retry = first.value.retry {
      writes.append(keepsRetry ? .move(.retry(retry), on: .tombstone) : .delete(.retry(retry)))
    }
    return writes
  }

  /// The questions of a failed guard about a lease.
  static func looks(_ name: String, _ locks: [String], retry: String? = nil) -> [QueueLook] {
    locks.map(QueueLook.queue) + [.key(.end(name)), .key(.inTime(name))] + (retry.map { [.key(.retry($0))] } ?? [])
  }
}
