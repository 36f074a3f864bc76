/// A reader that becomes the writer: a second entry of the rest of the units queues behind all that is there.
package struct Upgrade: Hashable, Sendable {
  package let name: String
  package let lock: String
  /// 64 random bits of this attempt.
  package let mark: UInt64
  package internal(set) var phase: Phase
  let rules: Rules

  /// The point that has been reached.
  package enum Phase: Hashable, Sendable {
    /// A look of any age chooses the guard.
    case looking
    case queueing(QueueEntry, kind: Int64, capacity: Int, since: Int64)
    case waiting(created: Int64)
    /// Its turn: entry and second entry go onto one young lease.
    case binding(QueueEntry, upgrade: QueueEntry)
    /// The fence is the upgrade's.
    case granted(Attempt.Grant)
    /// Takes the second entry back.
    case undoing(modified: Int64)
    case over(Ending)
  }

  /// The end of an upgrade; but for `ended` the reader's lease is as before.
  package enum Ending: Hashable, Sendable {
    case granted
    /// Others wait: an upgrade and a writer would wait for each other.
    case deadlock
    /// The place is gone: ask again.
    case lost
    /// The lease itself has ended.
    case ended
    case withdrawn
    /// Nobody knows: repeat it.
    case unknown
  }

  /// Begins with a look.
  package init(_ name: String, of lock: String, mark: UInt64) { self.init(name, of: lock, mark: mark, rules: .all) }

  init(_ name: String, of lock: String, mark: UInt64, rules: Rules) {
    (self.name, self.lock, self.mark, self.rules) = (name, lock, mark, rules)
    phase = .looking
  }

  /// Takes in what was seen of the queue, however old.
  package mutating func look(_ queue: LockQueue) {
    guard case .looking = phase else { return }
    take(queue)
  }

  private mutating func take(_ queue: LockQueue) {
    guard let entry = queue.entry(name) else {
      // An old look: the guard fails, and what it shows is current.
      let value = EntryValue(units: 0, ttl: 0, mark: mark)
      let nobody = QueueEntry(lock: lock, name: name, created: 0, modified: -1, lease: 0, value: value)
      phase = .queueing(nobody, kind: queue.kindModified, capacity: queue.capacity, since: queue.revision)
      return
    }
    if entry.value.end != nil { return phase = .over(.ended) }
    if rules.has(.upEntry), let earlier = queue.upgrade(name) {
      // An earlier attempt, whose answer was lost, has bound it; or it waits still, and ends with that attempt.
      return phase = earlier.value.isWaiting ? .over(.lost) : .binding(entry, upgrade: earlier)
    }
    if rules.has(.upAlone), !queue.waiters.isEmpty {
      phase = .over(.deadlock)
    } else {
      phase = .queueing(
        entry, kind: queue.kindModified, capacity: queue.capacity, since: queue.revision)
    }
  }

  /// Looks for the turn of the second entry, by a view of any age.
  @discardableResult
  package mutating func judge(_ queue: LockQueue) -> Bool {
    guard case .waiting(let created) = phase, queue.revision >= created else { return false }
    guard let entry = queue.entry(name), entry.value.end == nil else {
      phase = .over(.ended)
      return true
    }
    guard let upgrade = queue.upgrade(name) else {
      phase = .over(.lost)
      return true
    }
    guard queue.holds(upgrade) else { return false }
    phase = .binding(entry, upgrade: upgrade)
    return true
  }

  /// 15, 15b and 9; `nil` where nothing is to be sent.
  package var transaction: QueueTransaction? {
    let looks = LeaseWrites.looks(name, [lock])
    let key = QueueKey.upgrade(lock: lock, name)
    switch phase {
    case .queueing(let entry, let kind, let capacity, let since):
      var value = EntryValue(units: capacity - entry.value.units, ttl: entry.value.ttl, mark: mark)
      guard rules.has(.upEntry) else {
        value.units = capacity
        return QueueTransaction(
          if: [.modified(entry.key, entry.modified)], then: [.put(entry.key, .entry(value), on: .young(value.ttl))],
          else: looks)
      }
      value.session = EntryValue.thisSession
      var guards: [QueueGuard] = [.modified(entry.key, entry.modified), .modified(.kind(lock), kind), .created(key, 0)]
      if rules.has(.upAlone) { guards.append(.nothingCreated(lock: lock, since: since)) }
      let write =
        rules.has(.upSession)
        ? QueueWrite.put(key, .entry(value), on: .session) : .put(key, .entry(value), on: .young(value.ttl))
      return QueueTransaction(if: guards, then: [write], else: looks)
    case .binding(let entry, let upgrade):
      let lease = LeaseClass.young(entry.value.ttl + entry.value.cooldown)
      var value = upgrade.value
      value.session = 0
      let writes = LeaseWrites.move([entry], on: lease) + [.put(key, .entry(value), on: lease)]
      return QueueTransaction(
        if: [.modified(key, upgrade.modified), .modified(entry.key, entry.modified)], then: writes, else: looks)
    case .undoing(let modified):
      return QueueTransaction(if: [.modified(key, modified)], then: [.delete(key)])
    case .looking, .waiting, .granted, .over: return nil
    }
  }

  // MARK: What came

  /// Takes in what came of the transaction that was sent.
  package mutating func receive(_ outcome: QueueOutcome) {
    switch (phase, outcome) {
    case (.undoing, _): phase = .over(.withdrawn)
    case (_, .sessionGone): phase = .over(.lost)
    case (_, .unknown): phase = .over(.unknown)
    case (.queueing(let entry, _, _, _), .done(let written)):
      if rules.has(.upEntry) {
        phase = .waiting(created: written.revision)
      } else {
        phase = .granted(grant(written, fence: entry.created, ttl: entry.value.ttl))
      }
    case (.binding(let entry, let upgrade), .done(let written)):
      let fence = rules.has(.upFence) ? upgrade.created : entry.created
      phase = .granted(grant(written, fence: fence, ttl: entry.value.ttl, isReplay: !upgrade.value.isWaiting))
    case (.queueing, .kept(let sight)):
      guard let queue = sight.queues.first, queue.entry(name) != nil else { return phase = .over(.ended) }
      take(queue)
    case (.binding(_, let upgrade), .kept(let sight)):
      guard let queue = sight.queues.first, let entry = queue.entry(name), entry.value.end == nil else {
        return phase = .over(.ended)
      }
      guard let mine = queue.upgrade(name), mine.modified == upgrade.modified else { return phase = .over(.lost) }
      phase = .binding(entry, upgrade: mine)
    case (.looking, _), (.waiting, _), (.granted, _), (.over, _): preconditionFailure("nothing was sent")
    }
  }

  private func grant(
    _ written: Written, fence: Int64, ttl: Int64, isReplay: Bool = false
  ) -> Attempt.Grant {
    Attempt.Grant(
      fence: fence, stamp: written.revision, lease: written.lease, deadline: written.deadline, ttl: ttl,
      isReplay: isReplay)
  }

  /// Says whether the writer's lease may be answered now; one that is late has ended, the reader's with it.
  package mutating func answer(now: Int64) -> Bool {
    guard case .granted(let grant) = phase else { return false }
    guard now >= grant.deadline, rules.has(.answerClock) else { return true }
    phase = .over(.ended)
    return false
  }

  /// Ends with what the client has.
  package mutating func delivered() {
    guard case .granted = phase else { return }
    phase = .over(.granted)
  }

  /// Takes the second entry back: the client has hung up, or its wait is over.
  package mutating func giveUp() {
    switch phase {
    case .waiting(let created): phase = .undoing(modified: created)
    case .granted(let grant):
      // A replayed one another server may have answered.
      phase = grant.isReplay ? .over(.withdrawn) : .undoing(modified: grant.stamp)
    default: break
    }
  }
}
