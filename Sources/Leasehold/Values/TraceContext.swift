/// The trace that a request belongs to, as its caller named it (W3C Trace Context).
///
/// Three words without references: carrying one around costs nothing that a request without a trace would notice. Zeros
/// name nothing, so they stand for no trace.
public struct TraceContext: Hashable, Sendable {
  /// The trace: the same in all programs that work on one request of a user.
  public var high: UInt64
  /// See ``high``.
  public var low: UInt64
  /// The caller's own part of the trace, from which it called.
  public var span: UInt64

  /// The absence of a trace.
  @inlinable public static var none: TraceContext { TraceContext(high: 0, low: 0, span: 0) }

  /// Makes one of its numbers.
  @inlinable
  public init(high: UInt64, low: UInt64, span: UInt64) {
    self.high = high
    self.low = low
    self.span = span
  }

  /// True when there is none.
  public var isNone: Bool { high | low == 0 }

  /// The trace in 32 hexadecimal digits; `nil` for none.
  public var traceID: String? { isNone ? nil : high.hexadecimal() + low.hexadecimal() }
  /// The caller's part in 16 hexadecimal digits; `nil` for none.
  public var spanID: String? { isNone ? nil : span.hexadecimal() }
}
