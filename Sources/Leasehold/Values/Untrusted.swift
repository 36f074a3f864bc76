/// A number that another program may have written: a word of shared memory, a line of a file, a value of the kernel's.
///
/// It takes part in nothing before it was asked whether it is in a range, so no sum of it overflows and no size or
/// index of it is wrong.
public struct Untrusted<Number: FixedWidthInteger & Sendable>: Sendable {
  private let number: Number

  /// Takes a number as it was found.
  @inline(__always)
  public init(_ number: Number) { self.number = number }

  /// The number, where it is in `range`; `nil` outside.
  @inline(__always)
  public func within<Wanted: FixedWidthInteger>(_ range: ClosedRange<Wanted>) -> Wanted? {
    guard let number = Wanted(exactly: number), range.contains(number) else { return nil }
    return number
  }

  /// The number of `range` that is nearest to it.
  @inline(__always)
  public func clamped<Wanted: FixedWidthInteger>(to range: ClosedRange<Wanted>) -> Wanted {
    min(max(Wanted(clamping: number), range.lowerBound), range.upperBound)
  }
}
