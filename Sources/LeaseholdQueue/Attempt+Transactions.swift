/// The transactions of an attempt.
extension Attempt {
  /// The transaction that the phase sends; `nil` where it sends nothing.
  package var transaction: QueueTransaction? {
    switch phase {
    case .putting(let seen): put(seen, alone: rules.has(.fastGuard), waits: false)
    case .enqueueing(let seen, let alone): put(seen, alone: alone && rules.has(.waitersGuard), waits: true)
    case .claiming(let entries): claim(entries)
    case .binding(let created, let session): bind(created, session)
    case .undoing(let created, let modified, _): undo(created, modified)
    case .settling: settle()
    case .looking, .waiting, .granted, .over: nil
    }
  }

  private var looks: [QueueLook] { LeaseWrites.looks(name, wish.locks, retry: wish.value.retry) }

  private func entries(_ value: EntryValue, on lease: LeaseClass) -> [QueueWrite] {
    let entries = wish.parts.map { part in
      var own = value
      own.units = part.units
      return (lock: part.lock, value: own)
    }
    return LeaseWrites.put(name, entries, on: lease)
  }

  /// 1 and 2: puts new entries.
  private func put(_ seen: [Seen], alone: Bool, waits: Bool) -> QueueTransaction {
    var guards: [QueueGuard] = []
    if rules.has(.create0) { guards += wish.parts.map { .created(.entry(lock: $0.lock, name), 0) } }
    if rules.has(.tombstone) { guards.append(.created(.end(name), 0)) }
    if let retry = wish.value.retry { guards.append(.created(.retry(retry), 0)) }
    var value = wish.value
    // The caller writes the session that it puts the entry on.
    value.session = waits ? EntryValue.thisSession : 0
    let lease: LeaseClass = waits ? .session : .young(value.ttl + value.cooldown)
    var writes = entries(value, on: lease)
    if let retry = value.retry { writes.append(.put(.retry(retry), .bytes(wish.retryBytes), on: lease)) }
    for (part, seen) in zip(wish.parts, seen) {
      guards.append(.modified(.kind(part.lock), seen.kindModified))
      if !seen.hasKind { writes.append(.put(.kind(part.lock), .kind(part.kind), on: .none)) }
      if alone { guards.append(.nothingCreated(lock: part.lock, since: seen.revision)) }
    }
    return QueueTransaction(if: guards, then: writes, else: looks)
  }

  /// 7 and 8: an entry that waits goes onto this session, a granted one onto a lease for the ttl that *it* has.
  private func claim(_ seen: [QueueEntry]) -> QueueTransaction {
    var value = seen[0].value
    value.mark = wish.value.mark
    let adopts = value.isWaiting
    if adopts { value.session = EntryValue.thisSession }
    if !adopts, !rules.has(.noShorter) { value.ttl = wish.value.ttl }
    let lease: LeaseClass = adopts ? .session : .young(value.ttl + value.cooldown)
    var writes = entries(value, on: lease)
    if let retry = value.retry { writes.append(.move(.retry(retry), on: lease)) }
    let guards = rules.has(.claimGuard) ? seen.map { QueueGuard.modified($0.key, $0.modified) } : []
    return QueueTransaction(if: guards, then: writes, else: looks)
  }

  /// 5: an entry whose turn it is goes onto a lease of its own.
  private func bind(_ created: Int64, _ session: Int64) -> QueueTransaction {
    var value = wish.value
    value.session = 0
    let lease = LeaseClass.young(value.ttl + value.cooldown)
    var guards: [QueueGuard] = []
    for part in wish.parts where rules.has(.rebindCreate) {
      let key = QueueKey.entry(lock: part.lock, name)
      guards.append(.created(key, created))
      if rules.has(.rebindLease) { guards.append(.lease(key, session)) }
    }
    var writes = entries(value, on: lease)
    if let retry = value.retry { writes.append(.move(.retry(retry), on: lease)) }
    return QueueTransaction(if: guards, then: writes, else: looks)
  }

  /// 9: deletes what this attempt wrote last.
  private func undo(_ created: Int64, _ modified: Int64) -> QueueTransaction {
    let guards = wish.parts.map { part -> QueueGuard in
      let key = QueueKey.entry(lock: part.lock, name)
      return rules.has(.undoGuard) ? .modified(key, modified) : .created(key, created)
    }
    return QueueTransaction(if: guards, then: LeaseWrites.delete(placed, withdrawal, keepsRetry: false))
  }

  /// 10: a tombstone keeps a put that is still on its way from happening.
  private func settle() -> QueueTransaction {
    let guards = wish.parts.map { QueueGuard.created(.entry(lock: $0.lock, name), 0) }
    return QueueTransaction(
      if: guards, then: [.put(.end(name), .end(withdrawal), on: .tombstone)], else: looks)
  }

  private var withdrawal: EndValue {
    var end = EndValue(reason: "withdrawn", at: wish.value.at)
    end.mark = wish.value.mark
    return end
  }

  /// The wish's entries as keys to delete.
  private var placed: [QueueEntry] {
    wish.parts.map { QueueEntry(lock: $0.lock, name: name, created: 0, modified: 0, lease: 0, value: wish.value) }
  }

  // MARK: What came of them

  /// Takes in what came of the transaction that was sent.
  ///
  /// - Parameter session: This server's session now.
  package mutating func receive(_ outcome: QueueOutcome, session: Int64) {
    switch (phase, outcome) {
    case (.undoing(_, _, let ending), _): phase = .over(ending)
    case (_, .sessionGone): phase = .over(.lost)
    case (.putting, .unknown): phase = .settling
    case (_, .unknown): phase = .over(.unknown)
    case (.putting, .done(let written)):
      phase = .granted(grant(written, fence: written.revision, ttl: wish.value.ttl, isReplay: false))
    case (.enqueueing, .done(let written)):
      phase = .waiting(created: written.revision, session: session, modified: written.revision)
    case (.claiming(let seen), .done(let written)):
      if seen[0].value.isWaiting {
        phase = .waiting(created: seen[0].created, session: session, modified: written.revision)
      } else {
        let ttl = rules.has(.noShorter) ? seen[0].value.ttl : wish.value.ttl
        phase = .granted(grant(written, fence: seen[0].created, ttl: ttl, isReplay: true))
      }
    case (.binding(let created, _), .done(let written)):
      phase = .granted(grant(written, fence: created, ttl: wish.value.ttl, isReplay: false))
    case (.binding, .kept(let sight)): phase = .over(sight.end == nil ? .lost : .ended)
    case (.settling, .done): phase = .over(.unknown)
    case (.settling, .kept(let sight)): settled(sight)
    case (_, .kept(let sight)): look(again: sight, session)
    case (.looking, _), (.waiting, _), (.granted, _), (.over, _): preconditionFailure("nothing was sent")
    }
  }

  private func grant(_ written: Written, fence: Int64, ttl: Int64, isReplay: Bool) -> Grant {
    Grant(
      fence: fence, stamp: written.revision, lease: written.lease, deadline: written.deadline, ttl: ttl,
      isReplay: isReplay)
  }

  private mutating func settled(_ sight: Sight) {
    guard let entry = sight.queues.first?.entry(name) else { return phase = .over(.unknown) }
    // Its grace or cooldown is the operator's.
    guard entry.value.end == nil else { return phase = .over(.ended) }
    let isMine = entry.value.mark == wish.value.mark || !rules.has(.settleMark)
    phase =
      isMine ? .undoing(created: entry.created, modified: entry.modified, then: .unknown) : .over(.unknown)
  }

  /// Goes on from what a failed guard showed: current, but for what happened since.
  private mutating func look(again sight: Sight, _ session: Int64) {
    if let retried = sight.retried { name = retried }
    let found = sight.queues.compactMap { $0.entry(name) }
    guard found.count == wish.parts.count, let first = found.first else {
      if sight.end != nil && rules.has(.tombstone) || sight.retried != nil { return phase = .over(.ended) }
      return again(sight.queues)
    }
    guard first.value.end == nil else { return phase = .over(.ended) }
    if first.value.isWaiting {
      phase =
        first.lease == session || !rules.has(.adopt)
        ? .waiting(created: first.created, session: first.lease, modified: first.modified) : .claiming(found)
    } else if rules.has(.replayClaims) {
      phase = .claiming(found)
    } else {
      phase = .granted(
        Grant(
          fence: first.created, stamp: first.modified, lease: first.lease, deadline: .max, ttl: first.value.ttl,
          isReplay: true))
    }
  }

  private mutating func again(_ queues: [LockQueue]) {
    switch phase {
    case .enqueueing(_, alone: false), .claiming:
      // Only the kind can have changed, or the entry has gone: the place is taken as it comes.
      phase = .enqueueing(seen: queues.map(Seen.init), alone: false)
      for (part, queue) in zip(wish.parts, queues) {
        if let kind = queue.kind, !part.fits(kind) { phase = .over(.otherKind(kind)) }
      }
    default:
      rounds += 1
      phase = .looking(isFresh: true)
      decide(queues)
    }
  }
}

extension EntryValue {
  /// Stands for the session of the server that sends, until it does.
  package static let thisSession: Int64 = -1
}
