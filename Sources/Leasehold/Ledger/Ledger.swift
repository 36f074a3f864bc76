/// The ledger: who holds what until when.
///
/// The ledger is deterministic: time comes in with every call, the kernel, the shared memory and the threads that wait
/// are ports, and callers hear what ``takeNotices()`` gives. So a test can drive it a million times on a simulated
/// kernel and stop it between any two steps.
///
/// Life cycle: ``init(storage:kernel:waiting:limits:makeID:)``, ``recover(at:)`` once, then any calls, one at a time.
///
/// The order of steps is the crash safety, and it stands in `CrashOrder.swift` alone.
public final class Ledger {
  var journal: Journal
  var lockTable: LockTable
  var leaseTable: LeaseTable
  var queues: Queues
  /// The callers who wait for raw operations, by the numbers of their requests.
  var operations: [WaiterID: OperationSeat] = [:]
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
    switch (leaseTable.deadlines.nextDue, queues.deadlines.nextDue) {
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

/// Tells a client something; to be called after the mutex is released.
public typealias Notice = @Sendable () -> Void
