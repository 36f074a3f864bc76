// Leases whose process is stopped before their slots go on.
//
// A grace before the deadline, or when an operator begins to end the lease, the process gets TERM, and at the deadline
// KILL. From then on the lease is over for its holder and its slots cool down, but not for a time: until the process is
// over, which its watch tells. The record says that it cools down before KILL is sent, so a crash between both finds a
// process that lives and slots that are taken; the next daemon sends TERM first, and waits the whole grace from there
// to KILL again. A process that the next daemon cannot find may live: its slots stay taken until a later look finds it,
// or an operator ends the lease. In memory alone is which signal came last.

/// The way a process is stopped.
struct Stop {
  /// The time from TERM to KILL.
  let grace: TimeSpan
  /// The last signal.
  var sent = Sent.nothing

  /// The signals that were sent.
  enum Sent {
    case nothing
    case term
    case kill
  }

  /// The time between two looks at a process that lives on though it was killed, or cannot be found.
  static let again = TimeSpan.seconds(30)

  /// When the next signal is due, in nanoseconds; 0 for never.
  func due(of lease: Lease) -> Int64 {
    guard lease.deadline > 0, sent == .nothing else { return lease.deadline }
    return lease.breaking == nil ? max(1, lease.deadline - lead(of: lease)) : 1
  }

  /// The nanoseconds from TERM to the deadline: half of a short lease's time is its own.
  func lead(of lease: Lease) -> Int64 {
    lease.ttl > .zero ? min(grace.nanoseconds, lease.ttl.nanoseconds / 2) : grace.nanoseconds
  }
}

extension Lease {
  /// True when its process counts: while it is held, and while its slots stay taken until that is over.
  var isWithProcess: Bool { isHeld || isStopped }

  /// True when it is over for its holder, and its slots stay taken until its process is over.
  var isStopped: Bool { past != nil && bond?.stop != nil }

  /// True when it waits for the end of a process that was not found again after a restart.
  var isUnfound: Bool { isStopped && bond?.process == nil }

  /// Its process, when that is to be stopped and lives.
  var processToStop: (any BoundProcess)? {
    guard let bond, bond.stop != nil, let process = bond.process, !process.hasEnded else { return nil }
    return process
  }
}

extension Ledger {
  /// Says when a process is to be stopped whose lease has another deadline.
  func planStop(_ lease: Lease) {
    guard let due = lease.bond?.stop?.due(of: lease), lease.processToStop != nil else { return }
    leaseTable.schedule(lease, due: due)
  }

  /// A renewal calls a stop off: TERM comes again before the next deadline.
  @inline(never)
  func callOffStop(_ lease: Lease) {
    lease.bond?.stop?.sent = .nothing
    planStop(lease)
  }

  /// After a restart: TERM comes first, and all of the time from there to KILL.
  func stopAnew(_ lease: Lease, at moment: Moment) {
    let now = moment.monotonic.nanoseconds
    guard let stop = lease.bond?.stop, lease.deadline > 0, stop.due(of: lease) <= now || lease.past != nil else {
      return
    }
    lease.record.deadline = max(lease.deadline, now + stop.lead(of: lease))
    journal.setDeadline(of: lease)
    leaseTable.schedule(lease, due: 1)
  }

  /// Does what is due for a process that is to be stopped; false when it is over, or an operator does not wait for it.
  @inline(never)
  func stop(_ lease: Lease, at moment: Moment) -> Bool {
    guard let bond = lease.bond, let stop = bond.stop else { return false }
    guard bond.process != nil else { return (lease.isStopped || lease.breaking == nil) && lose(lease, at: moment) }
    guard let process = lease.processToStop else { return false }
    let now = moment.monotonic.nanoseconds
    guard stop.sent == .nothing, lease.deadline > 0 else {
      kill(lease, process, lease.ownEnd, at: now)
      return true
    }
    bond.stop?.sent = .term
    observers.ring.note(.stopping, lease, at: now)
    // The clock may have been late: that leaves no less time.
    let (left, lead) = (lease.deadline - now, stop.lead(of: lease))
    if left <= 0 || lease.breaking == nil && left < lead / 2 {
      lease.record.deadline = now + lead
      journal.setDeadline(of: lease)
      observers.tellDeadline(of: lease)
    }
    leaseTable.schedule(lease, due: lease.deadline)
    send(.terminate, to: process, of: lease, isAgain: false)
    return true
  }

  /// Ends a lease whose process cannot be found, which may live; false when that is not to be stopped.
  func lose(_ lease: Lease, at moment: Moment) -> Bool {
    guard let bond = lease.bond, bond.stop != nil else { return false }
    leaseTable.unfound.insert(bond.recorded.stamp)
    stayTaken(lease, .processLost, at: moment.monotonic.nanoseconds)
    return true
  }

  /// The processes to look for once more, as after a restart: those without which slots stay taken.
  public func takeUnfound() -> [ProcessStamp] {
    if leaseTable.unfound.isEmpty { return [] }
    defer { leaseTable.unfound = [] }
    return Array(leaseTable.unfound)
  }

  func kill(_ lease: Lease, _ process: any BoundProcess, _ reason: EndReason, at now: Int64) {
    let isAgain = lease.bond?.stop?.sent == .kill
    lease.bond?.stop?.sent = .kill
    stayTaken(lease, reason, at: now)
    send(.kill, to: process, of: lease, isAgain: isAgain)
  }

  private func send(_ signal: StopSignal, to process: any BoundProcess, of lease: Lease, isAgain: Bool) {
    if !isAgain { observers.counters.stops.count(signal == .kill ? 1 : 0) }
    observers.tell { [user = lease.peer.uid] in process.stop(signal, for: user, isAgain: isAgain) }
  }

  /// Lets the slots of a lease stay taken that is over for its holder, until its process is over.
  private func stayTaken(_ lease: Lease, _ reason: EndReason, at now: Int64) {
    let next = now + Stop.again.nanoseconds
    if lease.isHeld { return cool(lease, reason, until: next, at: now) }
    lease.record.deadline = next
    journal.setDeadline(of: lease)
    leaseTable.schedule(lease, due: next)
  }

  /// Says of a holder how its process is stopped.
  @inline(never)
  func note(stopOf lease: Lease, in holder: Holder) {
    holder.stopGrace = lease.bond?.stop?.grace
    holder.isStopping = lease.isStopped || lease.bond?.stop?.sent != .nothing
    // Nobody knows until when.
    if lease.isStopped { (holder.state, holder.deadline) = (.stopping, nil) }
  }
}
