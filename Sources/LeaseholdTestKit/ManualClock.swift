package import Leasehold

/// A clock that stands still until a test moves it.
///
/// Begins at 1000 s of CLOCK_MONOTONIC, in November 2023 on the wall. For one thread at a time.
package final class ManualClock {
  package private(set) var moment = Moment(
    monotonic: MonotonicInstant(nanoseconds: 1_000_000_000_000), wallOffset: 1_700_000_000_000_000_000)
  package var now: MonotonicInstant { moment.monotonic }

  package init() {}

  package func advance(by span: TimeSpan) { moment.monotonic = now + span }

  /// Sets the monotonic clock, as a daemon in another time namespace sees it.
  ///
  /// The wall clock stays where it is.
  package func setMonotonic(_ instant: MonotonicInstant) {
    moment.wallOffset += now.nanoseconds - instant.nanoseconds
    moment.monotonic = instant
  }

  /// Sets the wall clock forwards or, with a negative span, backwards.
  package func shiftWall(by span: TimeSpan) { moment.wallOffset += span.nanoseconds }
}
