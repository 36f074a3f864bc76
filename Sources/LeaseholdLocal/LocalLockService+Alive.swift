public import Leasehold
import LeaseholdHost
import Synchronization

extension LocalLockService {
  /// Returns true when the ledger can be had, and the clock's thread has turned within `span`.
  ///
  /// It turns once a second at least. A thread that keeps the ledger's mutex for ever keeps this call for ever, too: a
  /// watchdog must not wait for it on a thread that others need.
  public func isAlive(within span: TimeSpan) -> Bool {
    core.withLock { _ in }
    return sinceClockTurned <= span
  }

  /// The time since the clock's thread turned.
  public var sinceClockTurned: TimeSpan {
    let turned = clockTurn.load(ordering: .relaxed)
    return TimeSpan(nanoseconds: max(0, HostClock.monotonic() - turned))
  }
}
