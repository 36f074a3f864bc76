/// An operator makes a lock smaller: a blocker of the difference queues behind all that is there.
package struct Shrink: Hashable, Sendable {
  /// The name of the blocker's entry.
  package let name: String
  package let lock: String
  package let from: Int
  package let to: Int
  let rules: Rules

  /// A lock of `from` units that shall have `to`, fewer.
  package init(_ name: String, of lock: String, from: Int, to: Int, rules: Rules = .all) {
    precondition(1 <= to && to < from)
    (self.name, self.lock, self.from, self.to, self.rules) = (name, lock, from, to, rules)
  }

  /// 17, at first: the blocker, which no lease ends, in place of earlier ones.
  package func begin(kindModified: Int64, replacing earlier: [QueueEntry] = []) -> QueueTransaction {
    guard rules.has(.blocker) else { return .limit(to, of: lock, kindModified) }
    let key = QueueKey.entry(lock: lock, name)
    var value = EntryValue(units: from - to, ttl: 0, mark: 0)
    value.shrinksTo = to
    var transaction = QueueTransaction(
      if: [.created(key, 0), .modified(.kind(lock), kindModified)],
      then: [.put(key, .entry(value), on: .none)], else: [.queue(lock)])
    transaction.remove(earlier)
    return transaction
  }

  /// 17, at last, for what any server began; `nil` where no blocker is held.
  package static func finish(_ queue: LockQueue) -> QueueTransaction? {
    for entry in queue.blockers where queue.holds(entry) {
      guard let to = entry.value.shrinksTo, 1 <= to, to < queue.capacity else { continue }
      return Shrink(entry.name, of: queue.lock, from: queue.capacity, to: to).finish(queue)
    }
    return nil
  }

  /// 17, at last: the smaller capacity in place of the blocker; `nil` while it is not held.
  package func finish(_ queue: LockQueue) -> QueueTransaction? {
    guard let blocker = queue.entry(name), queue.holds(blocker) else { return nil }
    var transaction = QueueTransaction.limit(to, of: lock, queue.kindModified)
    transaction.remove([blocker])
    return transaction
  }
}

extension LockQueue {
  /// The entries of shrinks that are not over.
  package var blockers: [QueueEntry] { entries.filter { $0.value.shrinksTo != nil } }

  /// Gives the lock this capacity at once, and calls off what was to shrink it; `nil` where a holder would be put out.
  package func resized(to limit: Int) -> QueueTransaction? {
    let isFree = entries.count == blockers.count
    guard isFree || limit >= capacity else { return nil }
    var transaction = QueueTransaction.limit(limit, of: lock, kindModified)
    if isFree { transaction.guards.append(.nothingCreated(lock: lock, since: revision)) }
    transaction.remove(blockers)
    return transaction
  }
}

extension QueueTransaction {
  /// Writes the kind of a lock, where that is as it was seen.
  fileprivate static func limit(_ limit: Int, of lock: String, _ kindModified: Int64) -> QueueTransaction {
    QueueTransaction(
      if: [.modified(.kind(lock), kindModified)],
      then: [.put(.kind(lock), .kind(.counting(limit: limit)), on: .none)], else: [.queue(lock)])
  }

  /// Deletes entries that must still be there.
  fileprivate mutating func remove(_ entries: [QueueEntry]) {
    guards += entries.map { .created($0.key, $0.created) }
    writes += entries.map { .delete($0.key) }
  }
}

/// An operator ends a lease, or its owner all of them.
package enum Break {
  /// 18: without grace and cooldown.
  package static func now(_ entries: [QueueEntry], _ end: EndValue) -> QueueTransaction? {
    guard let first = entries.first else { return nil }
    return QueueTransaction(
      if: entries.map { .created($0.key, $0.created) },
      then: LeaseWrites.delete(entries, end, keepsRetry: true),
      else: LeaseWrites.looks(first.name, entries.map(\.lock)))
  }

  /// 18g: the place stays for the grace, and the cooldown after it, whichever server dies.
  ///
  /// - Parameters:
  ///   - upgrade: The second entry, if there is one.
  ///   - grace: Milliseconds, at most what is left of the lease.
  package static func later(
    _ entries: [QueueEntry], upgrade: QueueEntry?, _ end: EndValue, grace: Int64
  ) -> QueueTransaction? {
    guard let first = entries.first else { return nil }
    let lease = LeaseClass.young(grace + first.value.cooldown)
    var writes: [QueueWrite] = entries.map { entry in
      var value = entry.value
      value.end = end
      return .put(entry.key, .entry(value), on: lease)
    }
    writes.append(.move(.locks(first.name), on: lease))
    if let retry = first.value.retry { writes.append(.move(.retry(retry), on: lease)) }
    if let upgrade { writes.append(.move(upgrade.key, on: lease)) }
    writes.append(
      grace > 0
        ? .put(.inTime(first.name), .bytes([]), on: .marker(grace)) : .delete(.inTime(first.name)))
    writes.append(.put(.end(first.name), .end(end), on: .tombstone))
    var guards = entries.map { QueueGuard.modified($0.key, $0.modified) }
    if let upgrade { guards.append(.modified(upgrade.key, upgrade.modified)) }
    return QueueTransaction(
      if: guards, then: writes, else: LeaseWrites.looks(first.name, entries.map(\.lock)))
  }
}
