public import Leasehold

/// The ledger of a ``SimulatedDaemon`` as a lock service.
///
/// For one thread at a time.
public final class SimulatedLockService: LedgerService, EventService, ProcessService, EngineLife,
  HostWithoutNativeSets, @unchecked Sendable
{
  /// The daemon that it stands on.
  public let daemon: SimulatedDaemon
  /// The parts that fail, as a test says.
  public var faults: [ServiceFault] = []
  /// The time since the clock turned, as a test says.
  public var sinceClockTurned = TimeSpan.zero

  /// A service over a daemon.
  public init(_ daemon: SimulatedDaemon) { self.daemon = daemon }

  /// Runs a call of the ledger; all clients have heard what concerns them when it returns.
  public func change<Success: Sendable, Failure: Error>(
    _ body: (Ledger) throws(Failure) -> Success
  ) throws(Failure) -> Success {
    defer { daemon.settle() }
    return try body(daemon.ledger)
  }

  /// An instant on both clocks.
  public func moment(_ now: MonotonicInstant) -> Moment {
    Moment(monotonic: now, wallOffset: daemon.moment.wallOffset)
  }

  /// The events from a number on.
  public func events(from number: UInt64, limit: Int) -> EventBatch {
    daemon.ledger.events(from: number, limit: limit)
  }

  /// The whole of it as an engine.
  public var engine: Engine {
    var engine = Engine(self, traits: EngineTraits(name: "simulated"))
    (engine.native, engine.semaphores, engine.processes) = (self, self, self)
    return engine
  }

  /// Ends a holder's lease by force.
  public func breakLease(
    _ request: BreakRequest, at now: MonotonicInstant
  ) throws(LeaseholdError) -> BreakOutcome {
    defer { daemon.settle() }
    return try daemon.ledger.breakLease(request, at: moment(now))
  }

  /// The live leases.
  public func leases(_ filter: ListFilter) -> Page<LeaseSnapshot> { daemon.ledger.leases(filter) }

  /// One lock.
  public func lock(_ lock: LockName, listed: Int) throws(LeaseholdError) -> LockSnapshot {
    try daemon.ledger.lock(lock.key, lock.native, listed: listed)
  }

  /// The locks.
  public func locks(_ filter: ListFilter) -> Page<LockSnapshot> { daemon.ledger.locks(filter) }

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
