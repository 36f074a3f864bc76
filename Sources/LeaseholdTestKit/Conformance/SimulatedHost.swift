package import Leasehold

/// The simulated host as one that the conformance suite runs on, and the ledger on it as the engine.
///
/// For one thread at a time.
package final class SimulatedHost: ConformanceHost, LedgerService, EventService, EngineLife, @unchecked Sendable {
  private let daemon = SimulatedDaemon()
  private static let native: Int32 = 100

  package init() {}

  package var engine: Engine { Engine(self, traits: EngineTraits(name: "simulated")) }

  /// The manual clock.
  package var now: MonotonicInstant { daemon.clock.now }

  /// Moves the clock, and keeps house.
  package func pass(_ span: TimeSpan) {
    daemon.advance(by: span)
    daemon.ledger.housekeep(at: daemon.moment)
    daemon.settle()
  }

  /// Lets everything happen that can happen now.
  package func eventually(_ condition: () -> Bool) -> Bool {
    daemon.settle()
    return condition()
  }

  package func operate(_ delta: Int, on binding: SemaphoreBinding) -> Bool {
    let (set, semaphore) = (binding.id, binding.semaphore)
    guard delta > 0 else {
      return daemon.kernel.take(-delta, set: set, semaphore: semaphore, process: Self.native, undoes: false)
    }
    daemon.kernel.give(delta, set: set, semaphore: semaphore, process: Self.native, undoes: false)
    return true
  }

  package func removeSet(_ binding: SemaphoreBinding) { daemon.kernel.removeSet(binding.id) }

  /// Kills the daemon and starts another.
  package func restart() -> Bool {
    daemon.restart()
    return true
  }

  /// Everything that is wrong between the calls.
  package func flaws() -> [String] { Invariants.check(daemon) }

  // MARK: The engine

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

  package func breakLease(_ request: BreakRequest, at now: MonotonicInstant) throws(LeaseholdError) -> BreakOutcome {
    defer { daemon.settle() }
    return try daemon.ledger.breakLease(request, at: moment(now))
  }

  package func leases(_ filter: ListFilter) -> Page<LeaseSnapshot> { daemon.ledger.leases(filter) }
  package func lock(_ lock: LockName, listed: Int) throws(LeaseholdError) -> LockSnapshot {
    try daemon.ledger.lock(lock.key, lock.native, listed: listed)
  }
  package func locks(_ filter: ListFilter) -> Page<LockSnapshot> { daemon.ledger.locks(filter) }
  package func events(from number: UInt64, limit: Int) -> EventBatch {
    daemon.ledger.events(from: number, limit: limit)
  }
  package func status() -> ServiceStatus { daemon.ledger.status() }
  package var sinceClockTurned: TimeSpan { .zero }
  package func isAlive(within span: TimeSpan) -> Bool { true }
  package func drain() { daemon.ledger.drain() }
  /// Ends nothing: the simulated daemon stays.
  package func stop() {}
}
