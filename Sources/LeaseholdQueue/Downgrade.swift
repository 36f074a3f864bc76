/// A writer that becomes a reader again.
package struct Downgrade: Hashable, Sendable {
  package let name: String
  package let lock: String
  package internal(set) var phase: Phase

  /// The point that has been reached.
  package enum Phase: Hashable, Sendable {
    /// A look of any age chooses the guard.
    case looking
    case writing(QueueEntry?)
    /// The fence is the first entry's again; with another deadline where it was written.
    case reader(QueueEntry, deadline: Int64?)
    case ended
  }

  /// Begins with a look.
  package init(_ name: String, of lock: String) { (self.name, self.lock, phase) = (name, lock, .looking) }

  /// Takes in what was seen of the queue, however old.
  package mutating func look(_ queue: LockQueue) {
    guard case .looking = phase else { return }
    let entry = queue.entry(name)
    phase = entry?.value.end == nil ? .writing(entry) : .ended
  }

  /// 14; `nil` where nothing is to be sent.
  package var transaction: QueueTransaction? {
    guard case .writing(let seen) = phase else { return nil }
    let looks = LeaseWrites.looks(name, [lock])
    let key = QueueKey.entry(lock: lock, name)
    guard let seen else {
      return QueueTransaction(if: [.exists(key), .created(key, 0)], then: [.delete(key)], else: looks)
    }
    // The value is left where the upgrade is an entry of its own.
    let value = lowered(seen.value)
    let writes: [QueueWrite] = [.delete(.upgrade(lock: lock, name))]
    guard value != seen.value else {
      return QueueTransaction(if: [.modified(key, seen.modified)], then: writes, else: looks)
    }
    let lease = LeaseClass.young(value.ttl + value.cooldown)
    let lowers = writes + LeaseWrites.put(name, [(lock: lock, value: value)], on: lease)
    var guards = [QueueGuard.modified(key, seen.modified)]
    if value.cooldown > 0 { guards.append(.exists(.inTime(name))) }
    return QueueTransaction(if: guards, then: lowers, else: looks)
  }

  private func lowered(_ value: EntryValue) -> EntryValue {
    var value = value
    (value.units, value.isShared) = (min(value.units, 1), true)
    return value
  }

  /// Takes in what came of the transaction; of an unknown one nothing, for it can be sent again.
  package mutating func receive(_ outcome: QueueOutcome) {
    guard case .writing(let seen) = phase else { return }
    switch outcome {
    case .done(let written):
      guard let seen else { preconditionFailure("a question was carried out") }
      let isWritten = lowered(seen.value) != seen.value
      var entry = isWritten ? seen.moved(written) : seen
      entry.value = lowered(seen.value)
      phase = .reader(entry, deadline: isWritten ? written.deadline : nil)
    case .kept(let sight):
      guard let entry = sight.queues.first?.entry(name), entry.value.end == nil,
        entry.value.cooldown == 0 || sight.isInTime
      else { return phase = .ended }
      phase = .writing(entry)
    case .unknown, .sessionGone: break
    }
  }
}
