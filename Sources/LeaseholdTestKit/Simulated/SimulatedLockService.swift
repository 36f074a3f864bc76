public import Leasehold

/// The ledger of a ``SimulatedDaemon`` as a lock service.
///
/// For one thread at a time.
///
/// Everybody hears what concerns them before a call returns.
public final class SimulatedLockService: LockService, HostWithoutNativeSets, @unchecked Sendable {
  /// What it stands on.
  public let daemon: SimulatedDaemon
  /// What fails, as a test says.
  public var faults: [ServiceFault] = []
  /// How long ago the clock turned, as a test says.
  public var sinceClockTurned = TimeSpan.zero

  /// A service over a daemon.
  public init(_ daemon: SimulatedDaemon) { self.daemon = daemon }

  private func moment(_ now: MonotonicInstant) -> Moment {
    Moment(monotonic: now, wallOffset: daemon.moment.wallOffset)
  }

  /// Takes a lock, or queues for it.
  public func acquire(
    _ request: AcquireRequest, client: (any LeaseClient)?, at now: MonotonicInstant
  ) -> AcquireOutcome {
    defer { daemon.settle() }
    return daemon.ledger.acquire(request, client: client, at: moment(now))
  }

  /// Takes several locks at once or none.
  public func acquire(
    several wants: [AcquireRequest], client: (any LeaseClient)?, at now: MonotonicInstant
  ) -> AcquireOutcome {
    defer { daemon.settle() }
    return daemon.ledger.acquire(several: wants, client: client, at: moment(now))
  }

  /// Turns a reader's lease into a writer's or back.
  public func convert(
    _ request: ConvertRequest, client: (any LeaseClient)?, at now: MonotonicInstant
  ) -> AcquireOutcome {
    defer { daemon.settle() }
    return daemon.ledger.convert(request, client: client, at: moment(now))
  }

  /// The waiter is gone.
  public func cancel(_ waiter: WaiterID, at now: MonotonicInstant) {
    daemon.ledger.cancel(waiter, at: moment(now))
    daemon.settle()
  }

  /// The grant could not be handed over.
  public func undeliver(_ lease: LeaseID, at now: MonotonicInstant) {
    daemon.ledger.undeliver(lease, at: moment(now))
    daemon.settle()
  }

  /// Follows a lease.
  public func follow(_ lease: LeaseID, client: any LeaseClient) -> Bool { daemon.ledger.follow(lease, client: client) }

  /// Gives a lease back.
  public func release(
    _ lease: LeaseID, key: LockKey?, native: NativeRequest?, within confinement: Confinement?,
    at now: MonotonicInstant
  ) throws(LeaseholdError) -> ReleaseOutcome {
    defer { daemon.settle() }
    return try daemon.ledger.release(lease, key: key, native: native, within: confinement, at: moment(now))
  }

  /// Moves a lease's deadline.
  public func renew(
    _ lease: LeaseID, key: LockKey?, native: NativeRequest?, ttl: TimeSpan?, within confinement: Confinement?,
    at now: MonotonicInstant
  ) throws(LeaseholdError) -> LeaseSnapshot {
    try daemon.ledger.renew(lease, key: key, native: native, ttl: ttl, within: confinement, at: moment(now))
  }

  /// Ends somebody's lease.
  public func breakLease(
    _ request: BreakRequest, at now: MonotonicInstant
  ) throws(LeaseholdError) -> BreakOutcome {
    defer { daemon.settle() }
    return try daemon.ledger.breakLease(request, at: moment(now))
  }

  /// Gives a lease another id and holder.
  public func transfer(
    _ request: TransferRequest, at now: MonotonicInstant
  ) throws(LeaseholdError) -> LeaseSnapshot {
    defer { daemon.settle() }
    return try daemon.ledger.transfer(request, at: moment(now))
  }

  /// One lease.
  public func lease(
    _ lease: LeaseID, within confinement: Confinement?, at now: MonotonicInstant
  ) throws(LeaseholdError) -> LeaseSnapshot {
    try daemon.ledger.lease(lease, within: confinement)
  }

  /// The live leases.
  public func leases(_ filter: ListFilter) -> Page<LeaseSnapshot> { daemon.ledger.leases(filter) }

  /// Releases all leases of an owner.
  public func releaseAll(
    owner: String, key: LockKey?, of caller: Caller?, within confinement: Confinement?, at now: MonotonicInstant
  ) -> [String] {
    defer { daemon.settle() }
    return daemon.ledger.releaseAll(owner: owner, key: key, of: caller, within: confinement, at: moment(now))
  }

  /// One lock.
  public func lock(_ key: LockKey, _ native: NativeRequest?, listed: Int) throws(LeaseholdError) -> LockSnapshot {
    try daemon.ledger.lock(key, native, listed: listed)
  }

  /// Opens a lock without taking it.
  public func open(_ request: AcquireRequest, at now: MonotonicInstant) throws(LeaseholdError) -> OpenedLock {
    defer { daemon.settle() }
    return try daemon.ledger.open(request, at: moment(now))
  }

  /// Where a native name leads.
  public func binding(_ key: LockKey, _ native: NativeRequest) throws(LeaseholdError) -> KeyBinding {
    try daemon.ledger.binding(key, native)
  }

  /// The locks.
  public func locks(_ filter: ListFilter) -> Page<LockSnapshot> { daemon.ledger.locks(filter) }

  /// Removes a lock.
  public func remove(
    _ key: LockKey, _ native: NativeRequest?, force: Bool, within confinement: Confinement?,
    at now: MonotonicInstant
  ) throws(LeaseholdError) {
    defer { daemon.settle() }
    try daemon.ledger.remove(key, native, force: force, within: confinement, at: moment(now))
  }

  /// Finds the process of a number, and runs one when there is none.
  public func process(
    _ asked: AskedProcess, of caller: Caller, socket: Int32
  ) throws(LeaseholdError) -> ProcessBinding {
    ProcessBinding(daemon.processes.run(asked.name), name: asked.name)
  }

  /// A connection closed.
  public func connectionClosed(_ connection: ConnectionID, at now: MonotonicInstant) {
    daemon.ledger.connectionClosed(connection, at: moment(now))
    daemon.settle()
  }

  /// Whether it serves, and what it counted.
  public func status() -> ServiceStatus {
    var status = daemon.ledger.status()
    status.faults = faults
    return status
  }
}
