/// A renewal: what the holder has moves to a young lease, by a transaction; nothing that is only read renews.
package struct Renewal: Hashable, Sendable {
  package let name: String
  package let locks: [String]
  /// The fence that the holder was told; after an upgrade, the upgrade's.
  package let fence: Int64
  /// Another ttl from now on, in milliseconds; `nil` for the one it has.
  package let ttl: Int64?
  /// True to say that a connection has it from now on.
  package var binds = false
  package internal(set) var phase: Phase
  let rules: Rules

  /// The point that has been reached.
  package enum Phase: Hashable, Sendable {
    /// A look of any age chooses the guard.
    case looking
    case putting([QueueEntry], upgrade: QueueEntry?)
    case renewed(Attempt.Grant)
    /// It has ended, as that says, or by its deadline.
    case ended(EndValue?)
  }

  /// Begins with a look.
  package init(_ name: String, _ locks: [String], fence: Int64, ttl: Int64? = nil, rules: Rules = .all) {
    precondition(!locks.isEmpty)
    (self.name, self.locks, self.fence, self.ttl, self.rules) = (name, locks, fence, ttl, rules)
    phase = .looking
  }

  /// Takes in what was seen, however old; only an operator's end is believed.
  package mutating func look(_ sight: Sight) {
    guard case .looking = phase else { return }
    take(sight)
  }

  private mutating func take(_ sight: Sight) {
    let seen = sight.queues.compactMap { $0.entry(name) }
    guard seen.first?.value.end == nil || !rules.has(.renewState) else {
      return phase = .ended(seen.first?.value.end)
    }
    // A waiting upgrade stays on its session.
    let upgrade = sight.queues.first?.upgrade(name).flatMap { $0.value.isWaiting ? nil : $0 }
    phase = .putting(seen.count == locks.count ? seen : [], upgrade: upgrade)
  }

  /// 11; `nil` where nothing is to be sent.
  package var transaction: QueueTransaction? {
    guard case .putting(let seen, let upgrade) = phase else { return nil }
    let looks = LeaseWrites.looks(name, locks)
    guard let first = seen.first else {
      // Nothing was seen: the transaction fails, but says in the order of all writes what is there.
      let key = QueueKey.entry(lock: locks[0], name)
      return QueueTransaction(if: [.created(key, fence), .created(key, 0)], then: [.delete(key)], else: looks)
    }
    var guards: [QueueGuard] = []
    if rules.has(.renewGuard) {
      let fenced = upgrade.flatMap { $0.created == fence ? $0.key : nil }
      for entry in seen {
        if fenced == nil { guards.append(.created(entry.key, fence)) }
        guards.append(.modified(entry.key, entry.modified))
      }
      if let fenced { guards.append(.created(fenced, fence)) }
      if let upgrade { guards.append(.modified(upgrade.key, upgrade.modified)) }
    }
    if first.value.cooldown > 0 { guards.append(.exists(.inTime(name))) }
    return QueueTransaction(if: guards, then: writes(seen, upgrade), else: looks)
  }

  private func writes(_ seen: [QueueEntry], _ upgrade: QueueEntry?) -> [QueueWrite] {
    let value = seen[0].value
    let lease = LeaseClass.young((ttl ?? value.ttl) + value.cooldown)
    var writes: [QueueWrite]
    if ttl == nil, !binds, rules.has(.renewGuard) {
      writes = LeaseWrites.move(seen, on: lease)
    } else {
      writes = LeaseWrites.put(name, seen.map { (lock: $0.lock, value: renewed($0.value)) }, on: lease)
    }
    if let upgrade, rules.has(.renewUp) { writes.append(.move(upgrade.key, on: lease)) }
    return writes
  }

  private func renewed(_ value: EntryValue) -> EntryValue {
    var value = value
    value.ttl = ttl ?? value.ttl
    value.isBound = value.isBound || binds
    return value
  }

  /// Takes in what came of the transaction; of an unknown one nothing, for it can be sent again.
  package mutating func receive(_ outcome: QueueOutcome) {
    guard case .putting(let seen, let upgrade) = phase else { return }
    switch outcome {
    case .done(let written):
      guard !seen.isEmpty else { preconditionFailure("a question was carried out") }
      let entries = seen.map { entry in
        var own = entry.moved(written)
        own.value = renewed(entry.value)
        return own
      }
      phase = .renewed(Attempt.Grant(entries, upgrade: upgrade?.moved(written), deadline: written.deadline))
    case .kept(let sight):
      let mine = sight.queues.first.map { queue in queue.entries.filter { $0.name == name } } ?? []
      let first = mine.first { !$0.isUpgrade }
      let isHis = mine.contains { $0.created == fence } || !rules.has(.renewGuard)
      let isLate = first.map { $0.value.cooldown > 0 && !sight.isInTime } ?? true
      if isHis, !isLate, first != nil { take(sight) } else { phase = .ended(first?.value.end ?? sight.end) }
    case .unknown, .sessionGone: break
    }
  }
}
