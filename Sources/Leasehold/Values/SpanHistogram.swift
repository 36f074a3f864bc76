/// The counts of spans of time between bounds.
///
/// Each bound is four times the last: 1 ms, 4 ms, 16 ms and so on, up to about 17 min.
public struct SpanHistogram: Sendable, Equatable {
  /// The number of spans of at most the bound of the same place, and of more than the one before; the last has no
  /// bound.
  public private(set) var counts = Tally<12>()
  /// All spans together, in nanoseconds.
  public private(set) var sum: Int64 = 0

  /// The bounds, in nanoseconds; one fewer than ``counts``.
  public static let bounds: [Int64] = (0..<11).map { 1_000_000 << (2 * $0) }

  /// Counts a span, in nanoseconds; what is negative counts as nothing.
  @inline(__always)
  mutating func note(_ nanoseconds: Int64) {
    let milliseconds = max(0, nanoseconds - 1) / 1_000_000
    let bits = 64 - milliseconds.leadingZeroBitCount
    counts.count(min((bits + 1) / 2, 11))
    sum &+= max(0, nanoseconds)
  }
}
