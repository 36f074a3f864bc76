/// A release by the holder.
package struct Release: Hashable, Sendable {
  package let name: String
  package let locks: [String]
  /// Milliseconds of the wall clock, and who, for who asks later.
  package let end: EndValue
  package internal(set) var phase: Phase
  let rules: Rules

  /// The point that has been reached.
  package enum Phase: Hashable, Sendable {
    /// A look of any age chooses the guard.
    case looking
    case deleting([QueueEntry])
    case released
    /// It had ended before, as that says, or by its deadline.
    case ended(EndValue?)
  }

  /// Begins with a look.
  package init(_ name: String, _ locks: [String], _ end: EndValue, rules: Rules = .all) {
    precondition(!locks.isEmpty)
    (self.name, self.locks, self.end, self.rules) = (name, locks, end, rules)
    phase = .looking
  }

  /// Takes in what was seen, however old.
  package mutating func look(_ sight: Sight) {
    guard case .looking = phase else { return }
    take(sight, isOrdered: false)
  }

  private mutating func take(_ sight: Sight, isOrdered: Bool) {
    let seen = sight.queues.compactMap { $0.entry(name) }
    guard let first = seen.first, seen.count == locks.count else {
      phase = isOrdered ? .ended(sight.end) : .deleting([])
      return
    }
    if isOrdered || !rules.has(.coolGuard), mustBeInTime(first), !sight.isInTime {
      phase = .ended(first.value.end ?? sight.end)
    } else {
      phase = .deleting(seen)
    }
  }

  private func mustBeInTime(_ entry: QueueEntry) -> Bool {
    entry.value.cooldown > 0 || entry.value.end != nil && rules.has(.releaseState)
  }

  /// 13; `nil` where nothing is to be sent.
  package var transaction: QueueTransaction? {
    guard case .deleting(let seen) = phase else { return nil }
    let looks = LeaseWrites.looks(name, locks)
    guard let first = seen.first else {
      let key = QueueKey.entry(lock: locks[0], name)
      return QueueTransaction(if: [.exists(key), .created(key, 0)], then: [.delete(key)], else: looks)
    }
    var guards = seen.map { QueueGuard.modified($0.key, $0.modified) }
    if mustBeInTime(first), rules.has(.coolGuard) { guards.append(.exists(.inTime(name))) }
    return QueueTransaction(if: guards, then: LeaseWrites.delete(seen, end, keepsRetry: true), else: looks)
  }

  /// Takes in what came of the transaction; of an unknown one nothing, for it can be sent again.
  package mutating func receive(_ outcome: QueueOutcome) {
    guard case .deleting = phase else { return }
    switch outcome {
    case .done: phase = .released
    case .kept(let sight): take(sight, isOrdered: true)
    case .unknown, .sessionGone: break
    }
  }
}
