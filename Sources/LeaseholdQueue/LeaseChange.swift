/// A change of a lease that is held: sent again until something has come of it.
package struct LeaseChange: Hashable, Sendable {
  /// The change that is wanted.
  package enum Kind: Hashable, Sendable {
    /// 11: what the holder has moves to a young lease, by a transaction; nothing that is only read renews.
    ///
    /// `fence` is what the holder was told; after an upgrade, the upgrade's. `ttl` is another one from now on, in
    /// milliseconds; `binds`: a connection has it from now on.
    case renew(fence: Int64, ttl: Int64? = nil, binds: Bool = false)
    /// 13: with the end that is remembered.
    case release(EndValue)
    /// 14: a writer becomes a reader again, with the first entry's fence.
    case lower

    package var isRelease: Bool { if case .release = self { true } else { false } }
  }

  /// The point that has been reached.
  package enum Phase: Hashable, Sendable {
    /// A look of any age chooses the guard.
    case looking
    /// Sends a change of these entries; of none, a question.
    case sending([QueueEntry], upgrade: QueueEntry?)
    /// The lease as it is from now on, or was; its deadline is the largest number where the change did not move it.
    case done(Attempt.Grant)
    /// It had ended before, as that says, or by its deadline.
    case ended(EndValue?)
  }

  package let name: String
  package let locks: [String]
  package let kind: Kind
  package internal(set) var phase = Phase.looking
  let rules: Rules

  /// Begins with a look.
  package init(_ name: String, _ locks: [String], _ kind: Kind, rules: Rules = .all) {
    precondition(!locks.isEmpty)
    (self.name, self.locks, self.kind, self.rules) = (name, locks, kind, rules)
  }

  /// Takes in what was seen, however old.
  package mutating func look(_ sight: Sight) {
    guard case .looking = phase else { return }
    take(sight, isOrdered: false)
  }

  private mutating func take(_ sight: Sight, isOrdered: Bool) {
    let seen = sight.queues.compactMap { $0.entry(name) }
    guard let first = seen.first, seen.count == locks.count else {
      phase = isOrdered ? .ended(sight.end) : .sending([], upgrade: nil)
      return
    }
    // A waiting upgrade stays on its session.
    let upgrade = sight.queues[0].upgrade(name).flatMap { $0.value.isWaiting ? nil : $0 }
    let isOver = isOver(first, sight, isOrdered: isOrdered)
    phase = isOver ? .ended(first.value.end ?? sight.end) : .sending(seen, upgrade: upgrade)
  }

  /// Tells whether there is nothing to change any more; of a look that may be old, only an operator's end is believed.
  private func isOver(_ first: QueueEntry, _ sight: Sight, isOrdered: Bool) -> Bool {
    let isLate = isOrdered && first.value.cooldown > 0 && !sight.isInTime
    switch kind {
    case .renew(let fence, _, _):
      let isHis = first.created == fence || sight.queues[0].upgrade(name)?.created == fence
      return first.value.end != nil && rules.has(.renewState) || isLate
        || isOrdered && !isHis && rules.has(.renewGuard)
    case .release: return (isOrdered || !rules.has(.coolGuard)) && needsMark(first) && !sight.isInTime
    case .lower: return first.value.end != nil || isLate
    }
  }

  /// Tells whether the change needs that the lease is still in time.
  private func needsMark(_ entry: QueueEntry) -> Bool {
    entry.value.cooldown > 0 || kind.isRelease && entry.value.end != nil && rules.has(.releaseState)
  }

  /// The transaction to send; `nil` where nothing is to be sent.
  package var transaction: QueueTransaction? {
    guard case .sending(let seen, let upgrade) = phase else { return nil }
    let looks = LeaseWrites.looks(name, locks)
    guard let first = seen.first else {
      // Nothing was seen: the transaction fails, but says in the order of all writes what is there.
      let key = QueueKey.entry(lock: locks[0], name)
      return QueueTransaction(if: [.exists(key), .created(key, 0)], then: [.delete(key)], else: looks)
    }
    var guards = guards(seen, upgrade)
    if needsMark(first), rules.has(.coolGuard) { guards.append(.exists(.inTime(name))) }
    return QueueTransaction(if: guards, then: writes(seen, upgrade), else: looks)
  }

  private func guards(_ seen: [QueueEntry], _ upgrade: QueueEntry?) -> [QueueGuard] {
    guard case .renew(let fence, _, _) = kind else { return seen.map { .modified($0.key, $0.modified) } }
    guard rules.has(.renewGuard) else { return [] }
    let fenced = upgrade.flatMap { $0.created == fence ? [$0] : nil } ?? seen
    return fenced.map { .created($0.key, fence) }
      + (seen + [upgrade].compactMap(\.self)).map { .modified($0.key, $0.modified) }
  }

  private func writes(_ seen: [QueueEntry], _ upgrade: QueueEntry?) -> [QueueWrite] {
    let values = seen.map { (lock: $0.lock, value: changed($0.value)) }
    let lease = LeaseClass.young(values[0].value.ttl + values[0].value.cooldown)
    switch kind {
    case .release(let end): return LeaseWrites.delete(seen, end, keepsRetry: true)
    case .renew(_, let ttl, let binds):
      let isMoved = ttl == nil && !binds && rules.has(.renewGuard)
      return (isMoved ? LeaseWrites.move(seen, on: lease) : LeaseWrites.put(name, values, on: lease))
        + (upgrade.flatMap { rules.has(.renewUp) ? [.move($0.key, on: lease)] : nil } ?? [])
    case .lower:
      return [.delete(.upgrade(lock: locks[0], name))]
        + (isWritten(seen[0]) ? LeaseWrites.put(name, values, on: lease) : [])
    }
  }

  private func changed(_ value: EntryValue) -> EntryValue {
    var value = value
    switch kind {
    case .renew(_, let ttl, let binds): (value.ttl, value.isBound) = (ttl ?? value.ttl, value.isBound || binds)
    case .lower: (value.units, value.isShared) = (min(value.units, 1), true)
    case .release: break
    }
    return value
  }

  /// False for an entry that is deleted as it is, or left so because the upgrade is one of its own.
  private func isWritten(_ entry: QueueEntry) -> Bool {
    if case .renew = kind { true } else { changed(entry.value) != entry.value }
  }

  /// Takes in what came of the transaction; of an unknown one nothing, for it can be sent again.
  package mutating func receive(_ outcome: QueueOutcome) {
    guard case .sending(let seen, let upgrade) = phase else { return }
    switch outcome {
    case .done(let written):
      precondition(!seen.isEmpty, "a question was carried out")
      let entries = seen.map { entry in
        var own = isWritten(entry) ? entry.moved(written) : entry
        own.value = changed(entry.value)
        return own
      }
      let kept = kind == .lower ? nil : upgrade?.moved(written)
      phase = .done(Attempt.Grant(entries, upgrade: kept, deadline: written.deadline))
    case .kept(let sight): take(sight, isOrdered: true)
    case .unknown, .sessionGone: break
    }
  }
}
