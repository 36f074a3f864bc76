package import Leasehold
import Synchronization

/// A clock that stands still until a test moves it.
package final class ManualClock: Sendable {
  private let state: Mutex<Moment>

  /// Begins at 1000 s of CLOCK_MONOTONIC, in November 2023 on the wall.
  package init() {
    state = Mutex(
      Moment(
        monotonic: MonotonicInstant(nanoseconds: 1_000_000_000_000), wallOffset: 1_700_000_000_000_000_000))
  }

  package var moment: Moment { state.withLock { $0 } }

  package var now: MonotonicInstant { moment.monotonic }

  package func advance(by span: TimeSpan) { state.withLock { $0.monotonic = $0.monotonic + span } }

  /// Sets the monotonic clock, as a daemon in another time namespace sees it.
  ///
  /// The wall clock stays where it is.
  package func setMonotonic(_ instant: MonotonicInstant) {
    state.withLock {
      $0.wallOffset += $0.monotonic.nanoseconds - instant.nanoseconds
      $0.monotonic = instant
    }
  }

  /// Sets the wall clock forwards or, with a negative span, backwards.
  package func shiftWall(by span: TimeSpan) { state.withLock { $0.wallOffset += span.nanoseconds } }
}
