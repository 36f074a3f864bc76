// Waits that would never end.
//
// A waiter that keeps leases may wait for itself, by way of others. The service knows what a caller keeps from the
// lease that a conversion is about, from leases on other locks that are bound to the waiting connection, or to the same
// process with the same owner, and from what the caller says (`holding`). An owner's name alone is free text and tells
// nothing: many processes may use one.
//
// A waiter is stuck when one before it in a queue is, or when what stuck waiters keep leaves too little of a lock. All
// that can be reached from a new waiter are taken for stuck, and freed of that one by one until nothing changes. If the
// new one stays stuck and a way leads back to it, it closes a circle and is refused; the others go on waiting, and the
// first of them goes on when the one that was refused lets go.

extension Ledger {
  /// The most waiters that are looked at for one new waiter.
  private static let deadlockSearch = 4096

  /// Notes what a new waiter keeps; refuses it when it closes a circle.
  ///
  /// A waiter that is refused has left its queue.
  func refuseDeadlock(_ waiter: Waiter, at moment: Moment) throws(LeaseholdError) {
    do throws(LeaseholdError) {
      try noteHolding(of: waiter)
      guard !waiter.holding.isEmpty, let circle = circle(closedBy: waiter) else { return }
      observers.counters.deadlocks += 1
      throw .deadlock(circle, told: waiter.caller.confinement)
    } catch {
      leave(waiter)
      observers.left(waiter, error.code.rawValue, at: moment.monotonic.nanoseconds)
      serveUnserved(at: moment)
      throw error
    }
  }

  private func noteHolding(of waiter: Waiter) throws(LeaseholdError) {
    // Threads that share a connection or a process may wait for what another thread will release; those of a process
    // can give their leases other owners. A cgroup may have many processes: nothing is assumed of them.
    var bound = leaseTable.bound(to: waiter.caller.connection)
    if let process = waiter.request.process?.process, !process.stamp.isCgroup {
      bound += leaseTable.bound(to: process).filter { $0.owner.isExactly(waiter.request.owner) }
    }
    var holding = bound.filter { lease in
      !lease.members.contains { part in waiter.seats.contains { $0.lock === part.lock } }
    }
    for id in waiter.request.holding {
      let lease = try find(id, key: nil, within: waiter.caller.confinement)
      guard lease.isHeld else { throw Self.over(lease) }
      holding.append(lease)
    }
    for lease in holding where !waiter.holding.contains(where: { $0 === lease }) {
      queues.note(waiter, keeping: lease)
    }
  }

  // MARK: The search

  private func circle(closedBy waiter: Waiter) -> [DeadlockStep]? {
    guard waiter.holding.flatMap(\.members).contains(where: { $0.lock?.queue.isEmpty == false }) else { return nil }
    // What this one ends when it waits is in nobody's way.
    let older = older(than: waiter.request, on: waiter.seats.compactMap(\.lock)).filter { $0 !== waiter }
    guard let reached = ways(from: waiter, without: older), reached[waiter.id] != nil else { return nil }
    var stuck = reached.mapValues(\.blocker.waiter)
    var changed = true
    while changed {
      changed = false
      for candidate in stuck.values where canGo(candidate, beside: stuck, without: older) {
        stuck[candidate.id] = nil
        changed = true
      }
    }
    guard stuck[waiter.id] != nil, let ways = ways(from: waiter, among: stuck, without: older),
      ways[waiter.id] != nil
    else { return nil }
    return steps(backTo: waiter, ways)
  }

  private struct Blocker {
    let waiter: Waiter
    /// The place of the one that it is in the way of.
    let seat: Waiter
    /// The lease that it keeps; `nil` where it only stands before the other.
    let lease: Lease?
  }

  private typealias Step = (waiter: Waiter, blocker: Blocker)

  /// The waiters that are in another one's way.
  private func blockers(of waiter: Waiter, without older: [Waiter]) -> [Blocker] {
    var blockers: [Blocker] = []
    for seat in waiter.seats {
      guard let lock = seat.lock else { continue }
      if let before = place(before: seat, without: older) {
        blockers.append(Blocker(waiter: before.lead, seat: seat, lease: nil))
      }
      for lease in lock.holders where isInTheWay(lease, of: seat, on: lock) {
        for keeper in queues.keepers(of: lease) where !older.contains(where: { $0 === keeper }) {
          blockers.append(Blocker(waiter: keeper, seat: seat, lease: lease))
        }
      }
    }
    return blockers
  }

  private func place(before seat: Waiter, without older: [Waiter]) -> Waiter? {
    var before = seat.previous
    while let place = before, older.contains(where: { $0 === place.lead }) { before = place.previous }
    return before
  }

  /// Returns true when a lease and what a waiter wants exclude each other, as far as that is decided by pairs.
  private func isInTheWay(_ lease: Lease, of seat: Waiter, on lock: Lock) -> Bool {
    if let converting = seat.converting { return lease !== converting }
    return lock.kind != .readersWriter || seat.share.mode == .exclusive || lease.mode == .exclusive
  }

  /// Returns true when a waiter could go on if all but the stuck waiters let go.
  private func canGo(_ waiter: Waiter, beside stuck: [WaiterID: Waiter], without older: [Waiter]) -> Bool {
    waiter.seats.allSatisfy { seat in
      guard let lock = seat.lock else { return true }
      if let before = place(before: seat, without: older), stuck[before.lead.id] != nil { return false }
      let kept = lock.holders.filter { lease in
        isInTheWay(lease, of: seat, on: lock) && queues.keepers(of: lease).contains { stuck[$0.id] != nil }
      }
      if lock.kind == .readersWriter { return kept.isEmpty }
      // Only native programs know how many slots there are: they may suffice.
      guard let capacity = lock.capacity else { return true }
      return kept.isEmpty || kept.reduce(seat.share.units) { $0 + $1.units } <= capacity
    }
  }

  /// The waiters that are reached from one by going from each to those in its way, with the last step of the shortest
  /// way there; `nil` for too many.
  private func ways(
    from waiter: Waiter, among stuck: [WaiterID: Waiter]? = nil, without older: [Waiter]
  ) -> [WaiterID: Step]? {
    var ways: [WaiterID: Step] = [:]
    var open = [waiter]
    var index = 0
    while index < open.count {
      let next = open[index]
      index += 1
      for blocker in blockers(of: next, without: older) where ways[blocker.waiter.id] == nil {
        if let stuck, stuck[blocker.waiter.id] == nil { continue }
        guard ways.count < Self.deadlockSearch else { return nil }
        ways[blocker.waiter.id] = (next, blocker)
        if blocker.waiter !== waiter { open.append(blocker.waiter) }
      }
    }
    return ways
  }

  private func steps(backTo waiter: Waiter, _ found: [WaiterID: Step]) -> [DeadlockStep] {
    var ways: [Step] = []
    var current = waiter
    repeat {
      guard let step = found[current.id] else { break }
      ways.append(step)
      current = step.waiter
    } while current !== waiter
    ways.reverse()
    return ways.indices.map { index in
      let (one, seat) = (ways[index].waiter, ways[index].blocker.seat)
      let kept = ways[index == 0 ? ways.count - 1 : index - 1].blocker.lease
      return DeadlockStep(
        owner: one.request.owner, waitsFor: seat.request.key, mode: seat.request.mode,
        ref: kept?.whole.id.ref, holds: kept?.key, isAsking: one === waiter)
    }
  }

  // MARK: Refusals

  /// The error of two readers that both want to be the only one: neither ever lets the other.
  func deadlock(of lease: Lease, with other: Waiter, told confinement: Confinement?) -> LeaseholdError {
    observers.counters.deadlocks += 1
    let (mine, its) = (lease.whole, other.converting?.whole)
    let circle = [
      DeadlockStep(
        owner: mine.owner, waitsFor: lease.key, mode: .exclusive, ref: mine.id.ref, holds: lease.key, isAsking: true),
      DeadlockStep(
        owner: other.request.owner, waitsFor: other.request.key, mode: .exclusive, ref: its?.id.ref,
        holds: other.converting?.key, isAsking: false),
    ]
    return .deadlock(circle, told: confinement)
  }
}

extension LeaseholdError {
  /// The error of a request that wants one of its locks, perhaps under two names, more often than can be.
  public static func sameLockTwice(_ first: LockKey, _ second: LockKey, _ why: String) -> LeaseholdError {
    LeaseholdError(
      .sameLockTwice,
      first == second
        ? "The request wants lock '\(first)' twice, \(why); ask for it once."
        : "Locks '\(first)' and '\(second)' are one semaphore, which the request wants twice, \(why); ask for one.",
      facts: [("keys", .texts([first.text, second.text]))])
  }

  /// That waiting would never end.
  ///
  /// - Parameter confinement: What the caller may know of: it hears of no lock, lease or owner outside it.
  public static func deadlock(_ circle: [DeadlockStep], told confinement: Confinement?) -> LeaseholdError {
    let circle = confinement.map { confinement in circle.map { $0.told(to: confinement) } } ?? circle
    return LeaseholdError(
      .deadlock,
      "Waiting would never end: \(words(of: circle)). Release what you hold, then ask again.", circle: circle)
  }

  private static func words(of circle: [DeadlockStep]) -> String {
    func name(_ step: DeadlockStep) -> String { step.isAsking ? "you" : step.owner.map { "'\($0)'" } ?? "another" }
    let links = circle.indices.prefix(8).map { index in
      let (step, next) = (circle[index], circle[(index + 1) % circle.count])
      let how = next.holds == nil ? "behind \(name(next))" : "which \(name(next)) \(next.isAsking ? "hold" : "holds")"
      let lock = step.waitsFor.map { "'\($0)'" } ?? "another lock"
      return "\(name(step)) \(step.isAsking ? "wait" : "waits") for \(lock), \(how)"
    }
    return links.joined(separator: "; ")
  }
}

extension DeadlockStep {
  /// The step without what a confinement does not cover.
  fileprivate func told(to confinement: Confinement) -> DeadlockStep {
    var told = self
    func isHidden(_ key: LockKey?) -> Bool { key.map { !confinement.covers($0.text) } ?? false }
    let (hidesWait, hidesLease) = (isHidden(waitsFor), isHidden(holds))
    if hidesWait { told.waitsFor = nil }
    if hidesLease { (told.holds, told.ref) = (nil, nil) }
    if hidesWait, holds == nil || hidesLease { told.owner = nil }
    return told
  }
}

extension Waiter {
  /// All places of the request; itself when there is one.
  var seats: [Waiter] { group?.seats ?? [self] }
  /// The place that stands for the request.
  var lead: Waiter { group?.seats.first ?? self }
  /// True when its connection broke: its place is kept for a moment, and nothing is granted to it.
  var isDetached: Bool { lead.client == nil }
}
