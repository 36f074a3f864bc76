public import Leasehold

/// The ledger of a ``SimulatedDaemon`` as a lock service.
///
/// For one thread at a time.
///
/// All clients hear what concerns them before a call returns.
public final class SimulatedLockService: LockService, NativeLockService, EventService, LockWatchService, ProcessService,
  EngineLife, HostWithoutNativeSets, @unchecked Sendable
{
  /// The daemon that it stands on.
  public let daemon: SimulatedDaemon
  /// The parts that fail, as a test says.
  public var faults: [ServiceFault] = []
  /// The time since the clock turned, as a test says.
  public var sinceClockTurned = TimeSpan.zero

  /// A service over a daemon.
  public init(_ daemon: SimulatedDaemon) { self.daemon = daemon }

  private func moment(_ now: MonotonicInstant) -> Moment {
    Moment(monotonic: now, wallOffset: daemon.moment.wallOffset)
  }

  /// The whole of it as an engine.
  public var engine: Engine {
    var engine = Engine(self, traits: EngineTraits(name: "simulated"))
    (engine.native, engine.semaphores, engine.processes) = (self, self, self)
    return engine
  }

  /// Takes one lock, or several at once or none; or queues for them.
  public func acquire(
    _ request: AcquireRequest, client: () -> any LeaseClient, at now: MonotonicInstant
  ) -> AcquireOutcome {
    defer { daemon.settle() }
    return daemon.ledger.acquire(request, client: client, at: moment(now))
  }

  /// Turns a reader's lease into a writer's or back.
  public func convert(
    _ request: ConvertRequest, client: () -> any LeaseClient, at now: MonotonicInstant
  ) -> AcquireOutcome {
    defer { daemon.settle() }
    return daemon.ledger.convert(request, client: client, at: moment(now))
  }

  /// Takes back what can reach no client any more.
  public func withdraw(_ withdrawal: Withdrawal, at now: MonotonicInstant) {
    daemon.ledger.withdraw(withdrawal, at: moment(now))
    daemon.settle()
  }

  /// Follows a lease.
  public func follow(_ lease: LeaseID, client: any LeaseClient) -> Bool {
    defer { daemon.settle() }
    return daemon.ledger.follow(lease, client: client)
  }

  /// Gives a lease back.
  public func release(
    _ lease: LeaseID, on lock: LockName?, within confinement: Confinement?, at now: MonotonicInstant
  ) throws(LeaseholdError) -> ReleaseOutcome {
    defer { daemon.settle() }
    return try daemon.ledger.release(
      lease, key: lock?.key, native: lock?.native, within: confinement, at: moment(now))
  }

  /// Gives a lease back at once.
  public func releaseEarly(
    _ lease: LeaseID, on lock: LockName?, within confinement: Confinement?, at now: MonotonicInstant
  ) throws(LeaseholdError) -> ReleaseOutcome {
    defer { daemon.settle() }
    return try daemon.ledger.release(
      lease, key: lock?.key, native: lock?.native, early: true, within: confinement, at: moment(now))
  }

  /// Moves a lease's deadline.
  public func renew(
    _ lease: LeaseID, on lock: LockName?, ttl: TimeSpan?, within confinement: Confinement?, at now: MonotonicInstant
  ) throws(LeaseholdError) -> LeaseSnapshot {
    defer { daemon.settle() }
    return try daemon.ledger.renew(
      lease, key: lock?.key, native: lock?.native, ttl: ttl, within: confinement, at: moment(now))
  }

  /// Adds locks to a lease.
  public func add(_ request: AddRequest, at now: MonotonicInstant) throws(LeaseholdError) -> LeaseSnapshot {
    defer { daemon.settle() }
    return try daemon.ledger.add(request, at: moment(now))
  }

  /// Sets the text that a holder shows.
  public func note(
    _ lease: LeaseID, _ text: String?, within confinement: Confinement?, at now: MonotonicInstant
  ) throws(LeaseholdError) -> LeaseSnapshot {
    try daemon.ledger.note(lease, text, within: confinement, at: moment(now))
  }

  /// Ends a holder's lease by force.
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

  /// Binds a lease to the caller's connection.
  public func attach(_ request: AttachRequest, at now: MonotonicInstant) throws(LeaseholdError) -> LeaseSnapshot {
    defer { daemon.settle() }
    return try daemon.ledger.attach(request, at: moment(now))
  }

  /// Takes back what an Idempotency-Key got or waits for.
  public func cancel(
    key: String, of caller: Caller, at now: MonotonicInstant
  ) throws(LeaseholdError) -> CancelOutcome {
    defer { daemon.settle() }
    return try daemon.ledger.cancel(key: key, of: caller, at: moment(now))
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
  public func lock(_ lock: LockName, listed: Int) throws(LeaseholdError) -> LockSnapshot {
    try daemon.ledger.lock(lock.key, lock.native, listed: listed)
  }

  /// Opens a lock without taking it.
  public func open(
    _ want: Want, for caller: Caller, at now: MonotonicInstant
  ) throws(LeaseholdError) -> OpenedLock {
    defer { daemon.settle() }
    return try daemon.ledger.open(want, for: caller, at: moment(now))
  }

  /// Gives a counting lock another limit.
  public func resize(
    _ request: ResizeRequest, for caller: Caller, at now: MonotonicInstant
  ) throws(LeaseholdError) -> OpenedLock {
    defer { daemon.settle() }
    return try daemon.ledger.resize(request, for: caller, at: moment(now))
  }

  /// Where a native name leads.
  public func binding(_ key: LockKey, _ native: NativeRequest) throws(LeaseholdError) -> KeyBinding {
    try daemon.ledger.binding(key, native)
  }

  /// The locks.
  public func locks(_ filter: ListFilter) -> Page<LockSnapshot> { daemon.ledger.locks(filter) }

  /// Removes a lock.
  public func remove(
    _ lock: LockName, force: Bool, within confinement: Confinement?, at now: MonotonicInstant
  ) throws(LeaseholdError) {
    defer { daemon.settle() }
    try daemon.ledger.remove(lock.key, lock.native, force: force, within: confinement, at: moment(now))
  }

  /// Every process can be stopped.
  public func checkStop(of process: ProcessBinding, for caller: Caller) throws(LeaseholdError) {}

  /// Finds the process of a number, and runs one when there is none.
  public func process(
    _ asked: AskedProcess, of caller: Caller, socket: Int32
  ) throws(LeaseholdError) -> ProcessBinding {
    ProcessBinding(daemon.processes.run(asked.name), name: asked.name)
  }

  /// Sends waiters away; leases stay.
  public func drain() {
    daemon.ledger.drain()
    daemon.settle()
  }

  /// Ends nothing: the simulated daemon stays.
  public func stop() { drain() }

  /// Says what the test says.
  public func isAlive(within span: TimeSpan) -> Bool { sinceClockTurned <= span }

  /// The state of the service, and its counts.
  public func status() -> ServiceStatus {
    var status = daemon.ledger.status()
    status.faults = faults
    return status
  }
}
