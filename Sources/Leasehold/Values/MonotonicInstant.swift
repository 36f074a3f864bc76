/// A reading of the host's CLOCK_MONOTONIC, in nanoseconds.
///
/// Every decision is made on this clock: it never jumps, lives as long as the kernel's semaphores do, and is the clock
/// that a holder on the same host can read (clock_gettime(2)).
public struct MonotonicInstant: Hashable, Comparable, Sendable {
  /// Nanoseconds since the clock's start, 0...2^63-1.
  public var nanoseconds: Int64

  /// Makes an instant from a reading in nanoseconds.
  public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

  /// Returns true when `lhs` is earlier.
  public static func < (lhs: Self, rhs: Self) -> Bool { lhs.nanoseconds < rhs.nanoseconds }

  /// The instant `span` later; saturates instead of overflowing.
  public static func + (lhs: Self, span: TimeSpan) -> Self {
    let (sum, overflow) = lhs.nanoseconds.addingReportingOverflow(span.nanoseconds)
    return Self(nanoseconds: overflow ? .max : sum)
  }

  /// The time from `rhs` to `lhs`; negative when `lhs` is earlier.
  public static func - (lhs: Self, rhs: Self) -> TimeSpan { TimeSpan(nanoseconds: lhs.nanoseconds &- rhs.nanoseconds) }
}

/// A length of time in whole nanoseconds.
///
/// `Duration` carries 128 bits; the request path compares and adds spans all the time and 64 bits last 292 years.
public struct TimeSpan: Hashable, Comparable, Sendable {
  /// The length in nanoseconds.
  public var nanoseconds: Int64

  /// Makes a span from nanoseconds.
  public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

  /// A span of zero.
  public static var zero: TimeSpan { TimeSpan(nanoseconds: 0) }

  /// A span of whole milliseconds, saturating.
  public static func milliseconds(_ count: Int64) -> TimeSpan { TimeSpan(count, times: 1_000_000) }

  /// A span of whole seconds, saturating.
  public static func seconds(_ count: Int64) -> TimeSpan { TimeSpan(count, times: 1_000_000_000) }

  private init(_ count: Int64, times unit: Int64) {
    let (product, overflow) = count.multipliedReportingOverflow(by: unit)
    nanoseconds = overflow ? .max : product
  }

  /// The length in milliseconds, rounded down.
  public var milliseconds: Int64 { nanoseconds / 1_000_000 }

  /// The length in milliseconds, rounded up, so that a span that is not over never shows as 0.
  public var millisecondsRoundedUp: Int64 {
    nanoseconds <= 0 ? nanoseconds / 1_000_000 : (nanoseconds - 1) / 1_000_000 + 1
  }

  /// The length in seconds, rounded up.
  public var secondsRoundedUp: Int64 { nanoseconds <= 0 ? 0 : (nanoseconds - 1) / 1_000_000_000 + 1 }

  /// Both together, saturating.
  public static func + (lhs: Self, rhs: Self) -> Self {
    let (sum, overflows) = lhs.nanoseconds.addingReportingOverflow(rhs.nanoseconds)
    return Self(nanoseconds: overflows ? (rhs.nanoseconds < 0 ? .min : .max) : sum)
  }

  /// The rest of the first without the second; below zero when that is longer.
  public static func - (lhs: Self, rhs: Self) -> Self {
    let (difference, overflows) = lhs.nanoseconds.subtractingReportingOverflow(rhs.nanoseconds)
    return Self(nanoseconds: overflows ? (rhs.nanoseconds < 0 ? .max : .min) : difference)
  }

  /// Returns true when `lhs` is shorter.
  public static func < (lhs: Self, rhs: Self) -> Bool { lhs.nanoseconds < rhs.nanoseconds }
}

/// The two clocks of one moment: the monotonic one for decisions, the wall clock for display and for fences.
public struct Moment: Sendable {
  /// CLOCK_MONOTONIC.
  public var monotonic: MonotonicInstant
  /// CLOCK_REALTIME less CLOCK_MONOTONIC, in nanoseconds; refreshed about once a second.
  public var wallOffset: Int64

  /// Makes a moment from a monotonic reading and the offset of the wall clock in nanoseconds.
  public init(monotonic: MonotonicInstant, wallOffset: Int64) {
    self.monotonic = monotonic
    self.wallOffset = wallOffset
  }

  /// Microseconds since 1970 on the wall clock.
  public var wallMicroseconds: Int64 { (monotonic.nanoseconds &+ wallOffset) / 1000 }
}
