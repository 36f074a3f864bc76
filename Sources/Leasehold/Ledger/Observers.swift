/// The observers of what the ledger does: notices to callers, counts, events, the ends and the drift for the log.
///
/// A watch is told once; the version of a lock grows with every change.
struct Observers: ~Copyable {
  var counters = ServiceCounters()
  /// The findings of the last recovery.
  var recovery = RecoveryReport()
  let ring: EventRing
  /// The notices, in order; the owner takes it and tells them outside its lock.
  private var notices: [Notice] = []
  private var ends = EndLog()
  private var driftReports: [LedgerEvent] = []
  /// Leases whose notes changed since the last turn of ``tellNotes(at:)``, by their fences.
  private var notes: [Int64: Lease] = [:]
  private var watches: [WatchID: Watch] = [:]
  private var lastWatch: WatchID = 0
  private var lastVersion: UInt64 = 0

  /// Reports of drift that are kept until the log takes them.
  private static let reportsMax = 64

  /// Notes that one turn tells of.
  private static let notesAtOnce = 4096

  private struct Watch {
    /// Nothing where the ledger knows nothing of the lock: only another look notices.
    let lock: Lock?
    let watcher: any LockWatcher
  }

  init(events: Int) { ring = EventRing(capacity: events) }

  // MARK: Callers

  /// Tells a client something, once the mutex is released.
  mutating func tell(_ notice: @escaping Notice) { notices.append(notice) }

  mutating func takeNotices() -> [Notice] {
    if notices.isEmpty { return [] }
    defer { notices = [] }
    return notices
  }

  // MARK: Leases, at instants in nanoseconds of CLOCK_MONOTONIC

  @inline(__always)
  mutating func granted(_ lease: Lease) {
    counters.granted += 1
    counters.waits.note(lease.waited.nanoseconds)
    ring.note(.granted, lease, at: lease.grantedAt.nanoseconds)
  }

  mutating func renewed(_ lease: Lease, at now: Int64) {
    counters.renewed += 1
    tellDeadline(of: lease)
    ring.note(.renewed, lease, at: now)
  }

  /// Tells the follower of a lease its deadline.
  mutating func tellDeadline(of lease: Lease) {
    guard let client = lease.client else { return }
    let deadline = lease.deadline == 0 ? nil : MonotonicInstant(nanoseconds: lease.deadline)
    tell { client.renewed(until: deadline) }
  }

  mutating func ended(_ lease: Lease, _ reason: EndReason, at now: Int64) {
    counters.ended.count(Int(reason.rawValue))
    counters.holds.note(now - lease.grantedAt.nanoseconds)
    if reason.isUnasked, !lease.asked.leavesNoTrace { ends.note(lease, reason) }
    ring.note(EventKind(reason), lease, reason.name, at: now)
    guard let client = lease.client else { return }
    lease.client = nil
    let note = reason == .broken ? lease.breaking : nil
    tell { client.ended(reason, note, at: MonotonicInstant(nanoseconds: now)) }
  }

  /// Notes that a lease has another form on one lock.
  mutating func converted(_ lease: Lease, at now: Int64) {
    counters.converted += 1
    ring.note(.converted, lease, of: lease.whole, at: now)
  }

  /// Asks a holder to yield to a newer request of its group.
  mutating func askedToYield(_ lease: Lease, _ group: String, at now: Int64) {
    counters.yields += 1
    ring.note(.yield, lease, group, at: now)
    if let client = lease.client { tell { client.askedToYield() } }
  }

  /// A holder's note changed: told by ``tellNotes(at:)``, however often it changes until then.
  mutating func noted(_ lease: Lease) { notes[lease.fence] = lease }

  /// Tells of the notes that changed: call once a second.
  mutating func tellNotes(at now: Int64) {
    guard !notes.isEmpty else { return }
    for lease in notes.values.prefix(Self.notesAtOnce).sorted(by: { $0.fence < $1.fence }) {
      notes[lease.fence] = nil
      if lease.isHeld { ring.note(.noted, lease, lease.remarks?.note, at: now) }
    }
  }

  // MARK: Waiters

  func queued(_ waiter: Waiter, at now: Int64) { ring.note(.waiting, waiter, at: now) }

  /// Notes that a waiter left its queue without a lease; `error` is what it is told.
  mutating func left(_ waiter: Waiter, _ why: String, telling error: LeaseholdError? = nil, at now: Int64) {
    ring.note(.left, waiter, why, at: now)
    if let error, let client = waiter.client { tell { client.refused(error) } }
  }

  // MARK: Locks and sets

  @inline(__always)
  mutating func bumpVersion(of lock: Lock) {
    lastVersion &+= 1
    lock.seen.version = lastVersion
    if !lock.seen.watches.isEmpty { tellWatchers(of: lock) }
  }

  private mutating func tellWatchers(of lock: Lock) {
    for id in lock.seen.watches {
      guard let watcher = watches.removeValue(forKey: id)?.watcher else { preconditionFailure("a watch is told once") }
      tell { watcher.lockChanged() }
    }
    lock.seen.watches = []
  }

  var watchCount: Int { watches.count }

  /// Has a watcher hear of the next change of a lock.
  mutating func watch(_ lock: Lock?, _ watcher: any LockWatcher) -> WatchID {
    lastWatch += 1
    watches[lastWatch] = Watch(lock: lock, watcher: watcher)
    lock?.seen.watches.append(lastWatch)
    return lastWatch
  }

  mutating func unwatch(_ id: WatchID) {
    watches.removeValue(forKey: id)?.lock?.seen.watches.removeAll { $0 == id }
  }

  /// Counts a set that is gone, with the leases on its locks, before they end.
  mutating func removed(_ set: BankID, isOwn: Bool, under locks: [Lock]) {
    counters.setsRemoved += 1
    let held = locks.flatMap(\.holders).filter(\.isHeld)
    let wholes = Set(held.map { ObjectIdentifier($0.whole) })
    ends.note(EndLog.RemovedSet(set: set.set, key: set.key, isOwn: isOwn, leases: wholes.count))
  }

  /// Notes that a lock has another limit; who set it stands where an owner does.
  mutating func resized(_ lock: Lock, by caller: Caller, at now: Int64) {
    counters.resized += 1
    ring.append(
      LedgerEvent(
        kind: .resized, reason: lock.isPaused ? "paused" : lock.isPinned ? "pinned" : nil,
        count: Int32(truncatingIfNeeded: lock.capacity ?? 0), at: now, key: lock.key.text, text: caller.inWords,
        trace: caller.trace))
  }

  /// Notes that the values of a lock do not add up.
  mutating func drifted(_ lock: Lock, _ kind: DriftKind, units: Int, _ text: String, at moment: Moment) {
    counters.drift.count(Int(kind.rawValue))
    let event = LedgerEvent(
      kind: .drift, reason: kind.name, count: Int32(truncatingIfNeeded: units), at: moment.monotonic.nanoseconds,
      key: lock.key.text, text: text)
    ring.append(event)
    if driftReports.count < Self.reportsMax { driftReports.append(event) }
  }

  /// Returns true when a lock's drift is more than was told of it; from now on it is as told.
  func news(of lock: Lock, excess: Int, surplus: Int) -> (excess: Bool, surplus: Bool) {
    defer { (lock.seen.excess, lock.seen.surplus) = (excess, surplus) }
    return (excess > lock.seen.excess, surplus > lock.seen.surplus)
  }

  // MARK: The log

  mutating func takeEnds(isNewSecond: Bool) -> EndLog { ends.take(isNewSecond: isNewSecond) }

  mutating func takeDriftReports() -> [LedgerEvent] {
    defer { driftReports = [] }
    return driftReports
  }
}

// The events of leases and waiters: a part of what observers do that needs nothing else of them, so that nothing else
// is copied for it.
extension EventRing {
  @inline(__always)
  func note(_ kind: EventKind, _ lease: Lease, _ text: String? = nil, at now: Int64) {
    if lease.asked.leavesNoTrace { return }
    note(kind, lease, of: lease, text, at: now)
    if case .whole = lease.kind { noteParts(kind, of: lease, text, at: now) }
  }

  /// Notes an event of a lease of several locks on each of them.
  func noteParts(_ kind: EventKind, of whole: Lease, _ text: String? = nil, at now: Int64) {
    for part in whole.parts { note(kind, part, of: whole, text, at: now) }
  }

  @inline(__always)
  func note(_ kind: EventKind, _ member: Lease, of whole: Lease, _ text: String? = nil, at now: Int64) {
    append(
      LedgerEvent(
        kind: kind, mode: member.mode, reason: text, count: Int32(truncatingIfNeeded: member.count), at: now,
        ref: whole.id.high >> 24, fence: max(whole.fence, member.fence), key: member.key.text,
        text: whole.owner, trace: whole.asked.trace,
        breaking: kind == .broken ? whole.breaking : kind == .breaking ? whole.breakNote : nil))
  }

  /// Notes that a caller waits for operations that go on a lease, or left without it.
  func note(_ kind: EventKind, _ request: OperationRequest, on key: LockKey, _ why: String? = nil, at now: Int64) {
    append(
      LedgerEvent(
        kind: kind, reason: why, count: 1, at: now, key: key.text, text: request.owner, trace: request.caller.trace))
  }

  fileprivate func note(_ kind: EventKind, _ waiter: Waiter, _ reason: String? = nil, at now: Int64) {
    let request = waiter.request
    if request.leavesNoTrace { return }
    append(
      LedgerEvent(
        kind: kind, mode: request.mode, reason: reason, count: Int32(truncatingIfNeeded: request.count), at: now,
        key: request.key.text, text: request.owner, trace: waiter.caller.trace))
  }
}

extension Lock {
  /// The observers' own words of a lock.
  struct Seen {
    /// Tells its states apart.
    fileprivate(set) var version: UInt64 = 0
    /// The watches that want to hear of the next one.
    fileprivate(set) var watches: [WatchID] = []
    fileprivate(set) var excess = 0
    fileprivate(set) var surplus = 0
  }
}
