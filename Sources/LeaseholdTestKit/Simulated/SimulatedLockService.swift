package import Leasehold

/// The ledger of a ``SimulatedDaemon`` as a lock service.
///
/// For one thread at a time.
package final class SimulatedLockService: LedgerService, EventService, ProcessService, EngineLife,
  HostWithoutNativeSets, @unchecked Sendable
{
  /// The daemon that it stands on.
  package let daemon: SimulatedDaemon
  /// The parts that fail, as a test says.
  package var faults: [ServiceFault] = []
  /// The time since the clock turned, as a test says.
  package var sinceClockTurned = TimeSpan.zero

  package init(_ daemon: SimulatedDaemon) { self.daemon = daemon }

  /// Runs a call of the ledger; all clients have heard what concerns them when it returns.
  package func change<Success: Sendable, Failure: Error>(
    _ body: (Ledger) throws(Failure) -> Success
  ) throws(Failure) -> Success {
    defer { daemon.settle() }
    return try body(daemon.ledger)
  }

  package func moment(_ now: MonotonicInstant) -> Moment {
    Moment(monotonic: now, wallOffset: daemon.moment.wallOffset)
  }

  package func events(from number: UInt64, limit: Int) -> EventBatch {
    daemon.ledger.events(from: number, limit: limit)
  }

  package var engine: Engine {
    var engine = Engine(self, traits: EngineTraits(name: "simulated"))
    (engine.native, engine.semaphores, engine.processes) = (self, self, self)
    return engine
  }

  package func breakLease(
    _ request: BreakRequest, at now: MonotonicInstant
  ) throws(LeaseholdError) -> BreakOutcome {
    defer { daemon.settle() }
    return try daemon.ledger.breakLease(request, at: moment(now))
  }

  package func leases(_ filter: ListFilter) -> Page<LeaseSnapshot> { daemon.ledger.leases(filter) }

  package func lock(_ lock: LockName, listed: Int) throws(LeaseholdError) -> LockSnapshot {
    try daemon.ledger.lock(lock.key, lock.native, listed: listed)
  }

  package func locks(_ filter: ListFilter) -> Page<LockSnapshot> { daemon.ledger.locks(filter) }

  /// Every process can be stopped.
  package func checkStop(of process: ProcessBinding, for caller: Caller) throws(LeaseholdError) {}

  /// Finds the process of a number, and runs one when there is none.
  package func process(
    _ asked: AskedProcess, of caller: Caller, socket: Int32
  ) throws(LeaseholdError) -> ProcessBinding {
    ProcessBinding(daemon.processes.run(asked.name), name: asked.name)
  }

  /// Sends waiters away; leases stay.
  package func drain() {
    daemon.ledger.drain()
    daemon.settle()
  }

  /// Ends nothing: the simulated daemon stays.
  package func stop() { drain() }

  /// Says what the test says.
  package func isAlive(within span: TimeSpan) -> Bool { sinceClockTurned <= span }

  package func status() -> ServiceStatus {
    var status = daemon.ledger.status()
    status.faults = faults
    return status
  }
}
