/// The transactions of an attempt.
extension Attempt {
  /// The transaction that the phase sends; `nil` where it sends nothing.
  package var transaction: QueueTransaction? {
    switch phase {
    case .putting(let seen): put(seen, alone: rules.has(.fastGuard), waits: false)
    case .enqueueing(let seen, let alone): put(seen, alone: alone && rules.has(.waitersGuard), waits: true)
    case .claiming(let entries, let upgrade): claim(entries, upgrade)
    case .binding(let created, let session): bind(created, session)
    case .undoing(let created, let modified, _): undo(created, modified)
    case .settling: settle()
    case .looking, .waiting, .granted, .over: nil
    }
  }

  private var looks: [QueueLook] { LeaseWrites.looks(name, wish.locks, retry: wish.value.retry) }

  private var keys: [QueueKey] { wish.parts.map { .entry(lock: $0.lock, name) } }

  private func entries(_ value: EntryValue) -> [(lock: String, value: EntryValue)] {
    wish.parts.map { (lock: $0.lock, value: $0.words(value)) }
  }

  /// 1 and 2: puts new entries.
  private func put(_ seen: [Seen], alone: Bool, waits: Bool) -> QueueTransaction {
    var guards: [QueueGuard] = []
    if rules.has(.create0) { guards += keys.map { .created($0, 0) } }
    if rules.has(.tombstone) { guards.append(.created(.end(name), 0)) }
    if let retry = wish.value.retry { guards.append(.created(.retry(retry), 0)) }
    var value = wish.value
    // The caller writes the session that it puts the entry on.
    value.session = waits ? EntryValue.thisSession : 0
    let lease: LeaseClass = waits ? .session : .young(value.ttl + value.cooldown)
    var writes = LeaseWrites.put(name, entries(value), on: lease, retry: wish.retry)
    for (part, seen) in zip(wish.parts, seen) {
      guards.append(.modified(.kind(part.lock), seen.kindModified))
      // Another kind than the one that is there was seen on an empty queue only, which must stay so.
      let isOther = seen.kind.map { !part.fits($0) } ?? false
      if isOther || seen.kind == nil { writes.append(.put(.kind(part.lock), .kind(part.kind), on: .none)) }
      if alone || isOther { guards.append(.nothingCreated(lock: part.lock, since: seen.revision)) }
    }
    return QueueTransaction(if: guards, then: writes, else: looks)
  }

  /// An entry's words once this attempt has taken it over; its units stay, for they may have become fewer.
  private func claimed(_ seen: QueueEntry) -> EntryValue {
    var value = seen.value
    value.mark = wish.value.mark
    if !value.isWaiting, !rules.has(.noShorter) { value.ttl = wish.value.ttl }
    return value
  }

  /// 7 and 8: an entry that waits goes onto this session, a granted one onto a lease for the ttl that *it* has.
  private func claim(_ seen: [QueueEntry], _ upgrade: QueueEntry?) -> QueueTransaction {
    let value = claimed(seen[0])
    let adopts = value.isWaiting
    let lease: LeaseClass = adopts ? .session : .young(value.ttl + value.cooldown)
    let entries = seen.map { entry in
      var own = claimed(entry)
      if adopts { own.session = EntryValue.thisSession }
      return (lock: entry.lock, value: own)
    }
    var writes = LeaseWrites.put(name, entries, on: lease)
    // A writer's two entries end together.
    if let upgrade { writes.append(.move(upgrade.key, on: lease)) }
    var guards: [QueueGuard] = []
    if rules.has(.claimGuard) {
      guards = (seen + (upgrade.map { [$0] } ?? [])).map { .modified($0.key, $0.modified) }
      if !adopts, value.cooldown > 0 { guards.append(.exists(.inTime(name))) }
    }
    return QueueTransaction(if: guards, then: writes, else: looks)
  }

  /// 5: an entry whose turn it is goes onto a lease of its own.
  private func bind(_ created: Int64, _ session: Int64) -> QueueTransaction {
    var value = wish.value
    value.session = 0
    let lease = LeaseClass.young(value.ttl + value.cooldown)
    var guards: [QueueGuard] = []
    for key in keys where rules.has(.rebindCreate) {
      guards.append(.created(key, created))
      if rules.has(.rebindLease) { guards.append(.lease(key, session)) }
    }
    return QueueTransaction(if: guards, then: LeaseWrites.put(name, entries(value), on: lease), else: looks)
  }

  /// 9: deletes what this attempt wrote last.
  private func undo(_ created: Int64, _ modified: Int64) -> QueueTransaction {
    let guards = keys.map { key in
      rules.has(.undoGuard) ? QueueGuard.modified(key, modified) : .created(key, created)
    }
    let placed = grant(Written(revision: modified), wish.value, created: created).entries
    return QueueTransaction(if: guards, then: LeaseWrites.delete(placed, withdrawal, keepsRetry: false))
  }

  /// 10: a tombstone keeps a put that is still on its way from happening.
  private func settle() -> QueueTransaction {
    QueueTransaction(
      if: keys.map { .created($0, 0) }, then: [.put(.end(name), .end(withdrawal), on: .tombstone)], else: looks)
  }

  private var withdrawal: EndValue {
    var end = EndValue(reason: EndValue.undelivered, at: wish.value.at)
    (end.mark, end.lock, end.ref) = (wish.value.mark, wish.parts[0].lock, wish.value.ref)
    end.locks = wish.value.locks
    return end
  }

  // MARK: What came of them

  /// Takes in what came of the transaction that was sent.
  ///
  /// - Parameter session: This server's session now.
  package mutating func receive(_ outcome: QueueOutcome, session: Int64) {
    switch (phase, outcome) {
    case (.undoing(_, _, let ending), _): phase = .over(ending)
    case (_, .sessionGone): phase = .over(.lost)
    case (.putting, .unknown), (.binding, .unknown): phase = .settling
    case (_, .unknown): phase = .over(.unknown)
    case (.putting, .done(let written)):
      phase = .granted(grant(written, wish.value, created: written.revision))
    case (.enqueueing, .done(let written)):
      phase = .waiting(created: written.revision, session: session, modified: written.revision)
    case (.claiming(let seen, let upgrade), .done(let written)): claimed(seen, upgrade, written, session)
    case (.binding(let created, _), .done(let written)):
      phase = .granted(grant(written, wish.value, created: created))
    case (.binding, .kept(let sight)): phase = .over(sight.end == nil ? .lost : .ended)
    case (.settling, .done): phase = .over(.unknown)
    case (.settling, .kept(let sight)): settled(sight)
    case (_, .kept(let sight)): take(sight, session: session)
    case (.looking, _), (.waiting, _), (.granted, _), (.over, _): preconditionFailure("nothing was sent")
    }
  }

  func grant(_ written: Written, _ value: EntryValue, created: Int64) -> Grant {
    let entries = wish.parts.map { part in
      QueueEntry(
        lock: part.lock, name: name, created: created, modified: written.revision, lease: written.lease,
        value: part.words(value))
    }
    return Grant(entries, deadline: written.deadline)
  }

  /// Its turn will be written with the words that it came with.
  private mutating func keep(_ earlier: QueueEntry) {
    wish.value = claimed(earlier)
    wish.value.session = 0
  }

  /// The place, or the lease, of an earlier attempt is this one's.
  private mutating func claimed(
    _ seen: [QueueEntry], _ upgrade: QueueEntry?, _ written: Written, _ session: Int64
  ) {
    guard !seen[0].value.isWaiting else {
      keep(seen[0])
      phase = .waiting(created: seen[0].created, session: session, modified: written.revision)
      return
    }
    let entries = seen.map { entry in
      var own = entry.moved(written)
      own.value = claimed(entry)
      return own
    }
    var grant = Grant(entries, upgrade: upgrade?.moved(written), deadline: written.deadline)
    grant.isReplay = true
    phase = .granted(grant)
  }

  private mutating func settled(_ sight: Sight) {
    guard let entry = sight.queues.first?.entry(name) else { return phase = .over(.unknown) }
    // Its grace or cooldown is the operator's.
    guard entry.value.end == nil else { return phase = .over(.ended) }
    let isMine = entry.value.mark == wish.value.mark || !rules.has(.settleMark)
    phase =
      isMine ? .undoing(created: entry.created, modified: entry.modified, then: .unknown) : .over(.unknown)
  }

  /// Goes on from what a failed guard, or a read of a retry, showed.
  ///
  /// - Parameter session: This server's session; `nil` for a read, which may be old and only chooses the next guard.
  mutating func take(_ sight: Sight, session: Int64?) {
    if let earlier = sight.retried, earlier.name != wish.name {
      guard earlier.fingerprint == wish.retry.fingerprint else { return phase = .over(.mismatch) }
      (name, retried) = (earlier.name, earlier)
    }
    let found = sight.queues.compactMap { $0.entry(name) }
    guard found.count == wish.parts.count, let first = found.first else {
      if sight.end != nil && rules.has(.tombstone) || sight.retried != nil { return phase = .over(.ended) }
      return again(sight.queues)
    }
    guard first.value.end == nil else { return phase = .over(.ended) }
    if first.value.isWaiting {
      if name != wish.name, !wish.waits { return phase = .over(.refused) }
      guard first.lease == session || !rules.has(.adopt) else { return phase = .claiming(found, upgrade: nil) }
      if name != wish.name { keep(first) }
      phase = .waiting(created: first.created, session: first.lease, modified: first.modified)
    } else if case .claiming = phase, first.value.cooldown > 0, !sight.isInTime {
      phase = .over(.ended)
    } else if rules.has(.replayClaims) {
      let upgrade = sight.queues[0].upgrade(name).flatMap { $0.value.isWaiting ? nil : $0 }
      phase = .claiming(found, upgrade: upgrade)
    } else {
      var grant = Grant(found, deadline: .max)
      grant.isReplay = true
      phase = .granted(grant)
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
