/// The ledger: who holds what until when.
///
/// The ledger is deterministic: time comes in with every call, the kernel, the shared memory and the threads that wait
/// are ports, and callers hear what ``takeNotices()`` gives. So a test can drive it a million times on a simulated
/// kernel and stop it between any two steps.
///
/// Life cycle: ``init(storage:kernel:waiting:limits:makeID:)``, ``recover(at:)`` once, then any calls, one at a time.
///
/// The order of steps is the crash safety, and it is nowhere but here:
/// - a grant writes its record, does the semop, then commits the record;
/// - an end commits the record's end, then does the semop that undoes it.
/// So at every instant the kernel's count of units out is at least what the records say, and the difference belongs to
/// no holder that was told so.
public final class Ledger {
  var journal: Journal
  var lockTable: LockTable
  var leaseTable: LeaseTable
  var queues: Queues
  var operations = OperationLine()
  var observers: Observers
  /// The maxima in force.
  public let limits: Limits

  /// True when new leases are granted.
  public internal(set) var state = ServiceStatus.State.starting
  /// True when another daemon has taken over.
  var hasSurrendered = false

  /// Makes a ledger over its ports.
  ///
  /// Nothing is read or changed before ``recover(at:)``.
  public init(
    storage: any LedgerStorage, kernel: any SemaphoreKernel, waiting: any KernelWaiting, limits: Limits,
    makeID: @escaping () -> LeaseID
  ) {
    journal = Journal(storage)
    lockTable = LockTable(kernel)
    self.limits = limits
    leaseTable = LeaseTable(makeID: makeID, ends: limits.tombstones)
    queues = Queues(waiting)
    observers = Observers(events: limits.events)
  }

  /// The time at which the ledger wants to be looked at next, in nanoseconds of CLOCK_MONOTONIC; `nil` when nothing is
  /// due ever.
  public var nextDue: Int64? {
    switch (leaseTable.nextDue, queues.nextDue) {
    case (let lease?, let waiter?): min(lease, waiter)
    case (let lease, let waiter): lease ?? waiter
    }
  }

  /// True when some queue must be looked at every few milliseconds because no thread was free to wait in the kernel.
  public var wantsPolling: Bool { queues.wantsPolling || !lockTable.debts.open.isEmpty }

  /// The last fence handed out.
  public var lastFenceGiven: Int64 { journal.lastFence }

  /// Takes a record with memory behind it, forgetting the oldest end when there is no other room.
  ///
  /// - Throws: `ledger-full`, `kernel-limit`, `kernel-refused`.
  func reserve() throws(LeaseholdError) -> Int { try journal.reserve { leaseTable.forgetOldestEnd() } }
}

/// A callback to run after the mutex is released.
public enum Notice: Sendable {
  /// A waiter got its lease.
  case granted(any LeaseClient, LeaseSnapshot)
  /// A waiter was refused.
  case refused(any LeaseClient, LeaseholdError)
  /// A followed lease has another deadline, or none.
  case renewed(any LeaseClient, MonotonicInstant?)
  /// A followed lease is over; the note is an operator's, where that is the reason.
  case ended(any LeaseClient, EndReason, BreakNote?, MonotonicInstant)
  /// An operator ends a followed lease: when, who and why.
  case breaking(any LeaseClient, MonotonicInstant, BreakNote)
  /// A newer request of a followed lease's group waits.
  case yield(any LeaseClient)
  /// A watched lock changed.
  case changed(any LockWatcher)
  /// A process is to be stopped for a user; again, when it was killed before.
  case stop(any BoundProcess, StopSignal, UInt32?, isAgain: Bool)

  /// Tells it.
  public func deliver() {
    switch self {
    case .granted(let client, let lease): client.granted(lease)
    case .refused(let client, let error): client.refused(error)
    case .renewed(let client, let deadline): client.renewed(until: deadline)
    case .ended(let client, let reason, let note, let instant): client.ended(reason, note, at: instant)
    case .breaking(let client, let end, let note): client.breaking(at: end, note)
    case .yield(let client): client.askedToYield()
    case .changed(let watcher): watcher.lockChanged()
    case .stop(let process, let signal, let user, let isAgain): process.stop(signal, for: user, isAgain: isAgain)
    }
  }
}
