/// A reader that becomes the writer: a second entry of the rest of the units queues behind all that is there.
package struct Upgrade: Hashable, QueueCall {
  package let name: String
  package let lock: String
  /// 64 random bits of this attempt.
  package let mark: UInt64
  /// True to queue where others hold the lock.
  package let waits: Bool
  package internal(set) var phase: Phase
  let rules: Rules

  /// The point that has been reached.
  package enum Phase: Hashable, Sendable {
    /// A look of any age chooses the guard.
    case looking
    /// `fits`: nobody else has the lock.
    case queueing(QueueEntry, kind: Int64, capacity: Int, since: Int64, fits: Bool)
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
  package typealias Ending = Attempt.Ending

  /// Begins with a look.
  package init(_ name: String, of lock: String, mark: UInt64, waits: Bool = true, rules: Rules = .all) {
    (self.name, self.lock, self.mark, self.waits, self.rules) = (name, lock, mark, waits, rules)
    phase = .looking
  }

  package var locks: [String] { [lock] }

  package var step: Attempt.Step {
    switch phase {
    case .looking: .read
    case .queueing, .binding, .undoing: transaction.map { .send($0) } ?? .wait
    case .waiting: .wait
    case .granted(let grant): .answer(grant)
    case .over(let ending): .end(ending)
    }
  }

  /// Takes in what was seen of the queue, however old.
  package mutating func decide(_ queues: [LockQueue], retried: RetryValue? = nil) {
    guard case .looking = phase else { return }
    take(queues[0])
  }

  private mutating func take(_ queue: LockQueue) {
    guard let entry = queue.entry(name) else {
      // An old look: the guard fails, and what it shows is current.
      let value = EntryValue(units: 0, ttl: 0, mark: mark)
      let nobody = QueueEntry(lock: lock, name: name, created: 0, modified: -1, lease: 0, value: value)
      phase = .queueing(
        nobody, kind: queue.kindModified, capacity: queue.capacity, since: queue.revision, fits: false)
      return
    }
    if entry.value.end != nil { return phase = .over(.ended) }
    if rules.has(.upEntry), let earlier = queue.upgrade(name) {
      // An earlier attempt, whose answer was lost, has bound it; or it waits still, and ends with that attempt.
      return phase = earlier.value.isWaiting ? .over(.lost) : .binding(entry, upgrade: earlier)
    }
    let fits = queue.units <= entry.value.units
    if rules.has(.upAlone), !queue.waiters.isEmpty {
      phase = .over(.deadlock)
    } else if !fits, !waits {
      phase = .over(.refused)
    } else {
      phase = .queueing(
        entry, kind: queue.kindModified, capacity: queue.capacity, since: queue.revision, fits: fits)
    }
  }

  /// Looks for the turn of the second entry, by a view of any age.
  @discardableResult
  package mutating func judge(_ queues: [LockQueue]) -> Bool {
    let queue = queues[0]
    guard case .waiting(let created) = phase, queue.revision >= created else { return false }
    if let entry = queue.entry(name), entry.value.end == nil {
      let upgrade = queue.upgrade(name)
      if let upgrade, !queue.holds(upgrade) { return false }
      phase = upgrade.map { .binding(entry, upgrade: $0) } ?? .over(.lost)
    } else {
      phase = .over(.ended)
    }
    return true
  }

  /// 15, 15b and 9; `nil` where nothing is to be sent.
  package var transaction: QueueTransaction? {
    let looks = LeaseWrites.looks(name, [lock])
    let key = QueueKey.upgrade(lock: lock, name)
    switch phase {
    case .queueing(let entry, let kind, let capacity, let since, _):
      var value = value(entry, capacity)
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
  package mutating func receive(_ outcome: QueueOutcome, session: Int64) {
    switch (phase, outcome) {
    case (.undoing, _): phase = .over(.withdrawn)
    case (_, .sessionGone): phase = .over(.lost)
    case (_, .unknown): phase = .over(.unknown)
    case (.queueing(let entry, _, let capacity, _, let fits), .done(let written)):
      if !rules.has(.upEntry) {
        phase = .granted(grant(written, entry, nil))
      } else if fits, rules.has(.upAlone) {
        // Nothing came since it was seen, so that its turn has come with it.
        var value = value(entry, capacity)
        value.session = EntryValue.thisSession
        let upgrade = QueueEntry(
          lock: lock, name: name, isUpgrade: true, created: written.revision, modified: written.revision,
          lease: written.lease, value: value)
        phase = .binding(entry, upgrade: upgrade)
      } else {
        phase = .waiting(created: written.revision)
      }
    case (.binding(let entry, let upgrade), .done(let written)):
      phase = .granted(grant(written, entry, rules.has(.upFence) ? upgrade : nil))
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

  /// The words of the second entry.
  private func value(_ entry: QueueEntry, _ capacity: Int) -> EntryValue {
    var value = EntryValue(units: capacity - entry.value.units, ttl: entry.value.ttl, mark: mark)
    (value.owner, value.peer, value.at) = (entry.value.owner, entry.value.peer, entry.value.at)
    return value
  }

  private func grant(_ written: Written, _ entry: QueueEntry, _ upgrade: QueueEntry?) -> Attempt.Grant {
    var bound = upgrade?.moved(written)
    bound?.value.session = 0
    var grant = Attempt.Grant([entry.moved(written)], upgrade: bound, deadline: written.deadline)
    grant.isReplay = upgrade.map { !$0.value.isWaiting } ?? false
    return grant
  }

  /// Says whether the writer's lease may be answered now; one that is late has ended, the reader's with it.
  package mutating func answer(now: Int64) -> Bool {
    guard case .granted(let grant) = phase else { return false }
    guard now >= grant.deadline, rules.has(.answerClock) else { return true }
    phase = .over(.ended)
    return false
  }

  /// The entry keeps the words of the reader.
  package mutating func note(at wall: Int64, waited: Int64) {}

  /// Takes the second entry back: the client has hung up, or its wait is over.
  package mutating func giveUp(_ ending: Ending = .withdrawn) {
    switch phase {
    case .waiting(let created): phase = .undoing(modified: created)
    case .granted(let grant):
      // A replayed one another server may have answered.
      phase = grant.isReplay ? .over(.withdrawn) : .undoing(modified: grant.stamp)
    default: break
    }
  }
}
