package import Leasehold

/// The simulated host as one that the conformance suite runs on.
package final class SimulatedHost: ConformanceHost {
  private let daemon: SimulatedDaemon
  private let simulated: SimulatedLockService
  private static let native: Int32 = 100

  package init(limits: Limits = Limits()) {
    daemon = SimulatedDaemon(limits: limits)
    simulated = SimulatedLockService(daemon)
  }

  package var engine: Engine { simulated.engine }

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
    let place = (set: binding.id, semaphore: binding.semaphore)
    guard delta > 0 else {
      return daemon.kernel.take(
        -delta, set: place.set, semaphore: place.semaphore, process: Self.native, undoes: false)
    }
    daemon.kernel.give(delta, set: place.set, semaphore: place.semaphore, process: Self.native, undoes: false)
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
}
