/// The counts of the service since it started.
///
/// Counters only grow.
public struct ServiceCounters: Sendable, Equatable {
  /// Leases granted.
  public var granted: UInt64 = 0
  /// Retries that got the lease they had.
  public var replayed: UInt64 = 0
  /// Acquires refused because the lock was held.
  public var busy: UInt64 = 0
  /// Waits that ended with their time.
  public var timedOut: UInt64 = 0
  /// Waits that ended with their connection.
  public var canceled: UInt64 = 0
  /// Waits that a newer request of their group ended.
  public var superseded: UInt64 = 0
  /// Acquires refused for any other reason.
  public var refused: UInt64 = 0
  /// Renewals.
  public var renewed: UInt64 = 0
  /// Leases that ended, by reason (index: ``EndReason/rawValue``).
  public var ended = Tally<11>()
  /// Processes that were to get TERM, and KILL.
  public var stops = Tally<2>()
  /// Undo operations that the kernel refused.
  public var undoFailures: UInt64 = 0
  /// Leases that went from reader to writer or back.
  public var converted: UInt64 = 0
  /// Locks that got another limit, or other names of slots.
  public var resized: UInt64 = 0
  /// Holders that were asked to yield to a newer request of their group.
  public var yields: UInt64 = 0
  /// Waits refused because they would never have ended.
  public var deadlocks: UInt64 = 0
  /// Sets below locks of ours that another program removed.
  public var setsRemoved: UInt64 = 0
  /// Drift that was found, by kind (index: ``DriftKind/rawValue``).
  public var drift = Tally<4>()
  /// Waits that were handed to the kernel because native processes held units.
  public var kernelWaits: UInt64 = 0
  /// The longest an expiry was late, in nanoseconds.
  public var expiryLagMax: Int64 = 0
  /// The sum of all delays of expiries, in nanoseconds.
  public var expiryLagSum: Int64 = 0
  /// The times for which waiters queued that got a lease.
  public var waits = SpanHistogram()
  /// The times for which leases were held that are over.
  public var holds = SpanHistogram()

  /// All zero.
  public init() {}
}

/// The findings of the last recovery.
public struct RecoveryReport: Sendable, Equatable {
  /// Leases that were found alive.
  public var leases = 0
  /// Locks that were found.
  public var locks = 0
  /// Units that a dead daemon had taken and no lease has, given back.
  public var unitsGivenBack = 0
  /// Leases whose set was gone.
  public var leasesLost = 0
  /// Records that did not pass their check.
  public var damagedRecords = 0
  /// Slots of native sets of which nobody can know whether they are taken.
  public var suspects = 0
  /// Slots of native sets that were being given back: of these one in some hundred was not.
  public var unsureReleases = 0
  /// Sets without a lock, removed.
  public var setsRemoved = 0
  /// The time that it took.
  public var took = TimeSpan.zero

  /// Nothing found.
  public init() {}
}

/// The figures of a ledger, and of the host that it is on.
public struct LedgerStatus: Sendable {
  /// Waiters that sleep in the kernel.
  public var pumps = 0
  /// Raw operations that wait in the kernel.
  public var operationWaiters = 0
  /// Processes that leases are bound to.
  public var processes = 0
  /// Records in use in the ledger: leases, locks, long texts and remembered ends.
  public var records = 0
  /// Records that the ledger can hold.
  public var recordCapacity = 0
  /// Bytes of one record.
  public var recordBytes = 0
  /// Sets that hold own locks.
  public var banks = 0
  /// The last fence handed out.
  public var lastFence: Int64 = 0
  /// The inode of the IPC namespace: two programs share semaphores only if theirs are equal.
  public var ipcNamespace: UInt64 = 0
  /// Marks of fences that could not be written.
  public var stateDirectoryFailures: UInt64 = 0
  /// The last recovery.
  public var recovery = RecoveryReport()

  /// Everything at zero.
  public init() {}
}

/// The figures of an engine that keeps its locks in a cluster.
public struct ClusterStatus: Sendable {
  /// The versions of the members that answered last, each once.
  public var versions: [String] = []
  /// Requests sent, repeated ones included.
  public var requests: UInt64 = 0
  /// Changes of which nobody said how they went.
  public var unknownOutcomes: UInt64 = 0
  /// The times that the changes of others had to be followed anew.
  public var watchRestarts: UInt64 = 0

  /// Everything at zero.
  public init() {}
}

/// The state of the service, and its counts.
public struct ServiceStatus: Sendable {
  /// The states of a service.
  public enum State: String, Sendable {
    /// Not recovered yet.
    case starting
    /// Serving.
    case ready
    /// Stopping: nothing new is granted.
    case draining
  }

  /// The state of the service.
  public var state = State.starting
  /// Leases that are held.
  public var leases = 0
  /// Leases that are over for their holders while their slots cool down.
  public var cooling = 0
  /// Those of them that asked to keep their slots for a time at least.
  public var kept = 0
  /// Leases of which it is not known whether they have anything.
  public var suspects = 0
  /// Own locks whose values another program wrote.
  public var damagedLocks = 0
  /// Known locks.
  public var locks = 0
  /// Waiters.
  public var waiters = 0
  /// The parts that fail at the moment.
  public var faults: [ServiceFault] = []
  /// Counters.
  public var counters = ServiceCounters()
  /// The numbers of an engine that keeps a ledger on this host; `nil` for others.
  public var ledger: LedgerStatus?
  /// The numbers of an engine that keeps its locks in a cluster; `nil` for others.
  public var cluster: ClusterStatus?

  /// Everything at zero.
  public init() {}

  /// The failing part that the service is not ready without.
  public var neededFault: ServiceFault? { faults.first { $0.part.isNeeded } }
}
