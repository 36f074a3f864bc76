internal import EtcdGateway
internal import LeaseholdQueue

/// Transactions of queues as etcd's, and what comes of them.
struct QueueStore: Sendable {
  /// The most entries of a queue that are read; a longer one has no room.
  static let entriesMax = 2_100
  let names: QueueNames
  let gateway: EtcdGateway
  let leases: LeasePool

  /// The lease of each class in a transaction, and until when it lasts.
  private struct Leases {
    var ids: [LeaseClass: Int64] = [.none: 0]
    var deadline = Int64.max
    /// The one that entries hang on.
    var main: Int64 = 0
  }

  /// Sends a transaction, and says what came of it.
  ///
  /// - Parameter session: The lease of this server's session.
  /// - Throws: ``EtcdFailure``; `unknown` where it may have happened, else nothing has.
  func send(
    _ transaction: QueueTransaction, session: Int64, before deadline: Int64
  ) throws(EtcdFailure) -> QueueOutcome {
    let chosen = try choose(for: transaction, session, before: deadline)
    let whole = EtcdTransaction(
      if: transaction.guards.map(compare), then: transaction.writes.map { operation($0, chosen.ids, session) },
      else: transaction.looks.flatMap(questions))
    let outcome: EtcdOutcome
    do throws(EtcdFailure) {
      outcome = try gateway.commit(whole, before: deadline)
    } catch .refused(.leaseGone, let reason) {
      guard !transaction.needsSession else { return .sessionGone }
      leases.forget()
      throw .unavailable(reason)
    }
    func written(at revision: Int64) -> QueueOutcome {
      .done(Written(revision: revision, lease: chosen.main, deadline: chosen.deadline))
    }
    if outcome.isDone { return written(at: outcome.revision) }
    let sight = sight(transaction.looks, outcome)
    // An earlier sending of the same may have done it.
    if outcome.isRepeat, let revision = trace(of: transaction, in: sight, session, or: outcome.revision) {
      return written(at: revision)
    }
    return .kept(sight)
  }

  /// Looks, at one revision; by a member that was paused perhaps at an old one.
  func look(_ looks: [QueueLook], before deadline: Int64) throws(EtcdFailure) -> Sight {
    sight(looks, try gateway.commit(EtcdTransaction(if: [], then: looks.flatMap(questions)), before: deadline))
  }

  /// Looks by a transaction that could write `key` and never does: consensus orders it, so no member answers it from an
  /// old state, and the revision stays.
  func lookForCertain(_ looks: [QueueLook], by key: QueueKey, before deadline: Int64) throws(EtcdFailure) -> Sight {
    let never = EtcdTransaction(
      if: [compare(.created(key, -1))], then: [.delete(one(key))], else: looks.flatMap(questions))
    do throws(EtcdFailure) {
      return sight(looks, try gateway.commit(never, before: deadline))
    } catch .unknown(let reason) {
      throw .unavailable(reason)
    }
  }

  /// The revision at which an earlier sending wrote what is seen; `nil` where something else is seen.
  private func trace(
    of transaction: QueueTransaction, in sight: Sight, _ session: Int64, or now: Int64
  ) -> Int64? {
    var found: Int64?
    for write in transaction.writes {
      switch write {
      case .put(let key, .entry(let value), _):
        let entry = sight.queues.lazy.compactMap { $0.entries.first { $0.key == key } }.first
        guard let entry, entry.value == own(value, session) else { return nil }
        found = entry.modified
      case .put(.end, .end(let end), _):
        guard sight.end == end else { return nil }
        found = found ?? now
      case .put, .move, .delete: continue
      }
    }
    return found
  }

  // MARK: Leases

  private func choose(
    for transaction: QueueTransaction, _ session: Int64, before deadline: Int64
  ) throws(EtcdFailure) -> Leases {
    var chosen = Leases()
    for lease in transaction.writes.compactMap(\.lease) where chosen.ids[lease] == nil {
      switch lease {
      case .none: break
      case .session: (chosen.ids[lease], chosen.main) = (session, session)
      case .tombstone:
        chosen.ids[lease] = try leases.young(for: 600_000_000_000, slack: 60, before: deadline).lease
      case .young(let span), .marker(let span):
        let ttl = span * 1_000_000
        let young = try leases.young(for: ttl, before: deadline)
        chosen.ids[lease] = young.lease
        if case .young = lease { chosen.main = young.lease }
        // Clocks may go wrong by 500 millionths, on both sides.
        chosen.deadline = min(chosen.deadline, young.sent + ttl - max(1_000_000, ttl / 1000))
      }
    }
    return chosen
  }

  // MARK: To etcd

  private func one(_ key: QueueKey) -> EtcdKeys { .one(names.text(key)) }

  private func compare(_ condition: QueueGuard) -> EtcdCompare {
    switch condition {
    case .created(let key, let revision): EtcdCompare(.created, of: one(key), .equal, revision)
    case .modified(let key, let revision): EtcdCompare(.modified, of: one(key), .equal, revision)
    case .lease(let key, let lease): EtcdCompare(.lease, of: one(key), .equal, lease)
    case .exists(let key): EtcdCompare(.created, of: one(key), .greater, 0)
    case .nothingCreated(let lock, let revision):
      EtcdCompare(.created, of: .prefix(names.queue(lock)), .less, revision + 1)
    case .isEmpty(let lock): EtcdCompare(.created, of: .prefix(names.queue(lock)), .equal, 0)
    }
  }

  private func operation(_ write: QueueWrite, _ leases: [LeaseClass: Int64], _ session: Int64) -> EtcdOperation {
    switch write {
    case .put(let key, .entry(let value), let lease):
      .put(names.text(key), value: QueueValue.entry(own(value, session)).stored, lease: leases[lease] ?? 0)
    case .put(let key, let value, let lease): .put(names.text(key), value: value.stored, lease: leases[lease] ?? 0)
    case .move(let key, let lease): .move(names.text(key), lease: leases[lease] ?? 0)
    case .delete(let key): .delete(one(key))
    }
  }

  private func own(_ value: EntryValue, _ session: Int64) -> EntryValue {
    var value = value
    if value.session == EntryValue.thisSession { value.session = session }
    return value
  }

  private func questions(_ look: QueueLook) -> [EtcdOperation] {
    switch look {
    case .queue(let lock):
      var range = EtcdRange(.prefix(names.queue(lock)))
      range.limit = Self.entriesMax
      return [.range(range), .range(EtcdRange(one(.kind(lock))))]
    case .key(let key): return [.range(EtcdRange(one(key)))]
    }
  }

  // MARK: From etcd

  /// An entry of a queue; `nil` for a key of another kind.
  func entry(_ found: EtcdEntry) -> QueueEntry? {
    let (lock, name, isUpgrade): (String, String, Bool)
    switch names.key(found.key) {
    case .entry(let queue, let lease): (lock, name, isUpgrade) = (queue, lease, false)
    case .upgrade(let queue, let lease): (lock, name, isUpgrade) = (queue, lease, true)
    default: return nil
    }
    return QueueEntry(
      lock: lock, name: name, isUpgrade: isUpgrade, created: found.created, modified: found.modified,
      lease: found.lease, value: EntryValue(stored: found.value))
  }

  private func sight(_ looks: [QueueLook], _ outcome: EtcdOutcome) -> Sight {
    var (sight, rest) = (Sight([]), outcome.listings[...])
    for look in looks {
      guard let listing = rest.popFirst() else { break }
      switch look {
      case .queue(let lock):
        let kind = rest.popFirst()?.entries.first
        var queue = LockQueue(
          lock, listing.entries.compactMap(entry), kind: kind.flatMap { QueueKind(stored: $0.value) },
          kindModified: kind?.modified ?? 0, revision: outcome.revision)
        queue.isWhole = !listing.hasMore
        sight.queues.append(queue)
      case .key(.end): sight.end = listing.entries.first.map { EndValue(stored: $0.value) }
      case .key(.inTime): sight.isInTime = !listing.entries.isEmpty
      case .key(.retry): sight.retried = listing.entries.first.map { RetryValue(stored: $0.value) }
      case .key(.locks): sight.locks = listing.entries.first.map { QueueValue.locks(stored: $0.value) } ?? []
      case .key: break
      }
    }
    return sight
  }
}
