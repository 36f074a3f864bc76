// An operator gives a lock another capacity: a smaller one by a blocker of the difference, which queues behind all that
// is there.
extension LockQueue {
  /// The entries of shrinks that are not over.
  package var blockers: [QueueEntry] { entries.filter { $0.value.shrinksTo != nil } }

  /// Gives the lock this capacity at once, and calls off what was to shrink it; `nil` where a holder would be put out.
  package func resized(to limit: Int) -> QueueTransaction? {
    let isFree = entries.count == blockers.count
    guard isFree || limit >= capacity else { return nil }
    var transaction = writing(limit, inPlaceOf: blockers)
    if isFree { transaction.guards.append(.nothingCreated(lock: lock, since: revision)) }
    return transaction
  }

  /// 17, at first: the blocker, which no lease ends, in place of earlier ones.
  ///
  /// - Parameters:
  ///   - limit: Less than the capacity.
  ///   - name: The name of the blocker's entry.
  package func shrinking(to limit: Int, by name: String, rules: Rules = .all) -> QueueTransaction {
    precondition(1 <= limit && limit < capacity)
    guard rules.has(.blocker) else { return writing(limit, inPlaceOf: []) }
    var value = EntryValue(units: capacity - limit, ttl: 0, mark: 0)
    value.shrinksTo = limit
    let key = QueueKey.entry(lock: lock, name)
    return replacing(
      blockers, if: [.created(key, 0), .modified(.kind(lock), kindModified)], then: .put(key, .entry(value), on: .none))
  }

  /// 17, at last, for what any server began: the smaller capacity in place of the blocker; `nil` where none is held.
  package var shrunk: QueueTransaction? {
    for blocker in blockers where holds(blocker) {
      if let limit = blocker.value.shrinksTo, 1 <= limit, limit < capacity {
        return writing(limit, inPlaceOf: [blocker])
      }
    }
    return nil
  }

  /// Writes the capacity of a lock whose kind is as it was seen.
  private func writing(_ limit: Int, inPlaceOf entries: [QueueEntry]) -> QueueTransaction {
    replacing(
      entries, if: [.modified(.kind(lock), kindModified)],
      then: .put(.kind(lock), .kind(.counting(limit: limit)), on: .none))
  }

  /// Deletes entries that must still be there, with another write.
  private func replacing(
    _ entries: [QueueEntry], if guards: [QueueGuard], then write: QueueWrite
  ) -> QueueTransaction {
    QueueTransaction(
      if: guards + entries.map { .created($0.key, $0.created) }, then: [write] + entries.map { .delete($0.key) },
      else: [.queue(lock)])
  }
}

/// An operator ends a lease of at least one entry, or its owner all of them.
package enum Break {
  /// 18: without grace and cooldown.
  package static func now(_ entries: [QueueEntry], _ end: EndValue) -> QueueTransaction {
    QueueTransaction(
      if: entries.map { .created($0.key, $0.created) },
      then: LeaseWrites.delete(entries, end, keepsRetry: true),
      else: LeaseWrites.looks(entries[0].name, entries.map(\.lock)))
  }

  /// 18g: the place stays for the grace, and the cooldown after it, whichever server dies.
  ///
  /// - Parameters:
  ///   - upgrade: The second entry, if there is one.
  ///   - grace: Milliseconds, at most what is left of the lease.
  package static func later(
    _ entries: [QueueEntry], upgrade: QueueEntry?, _ end: EndValue, grace: Int64
  ) -> QueueTransaction {
    let first = entries[0]
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
