/// Numbers that only grow, as many as are known at compile time: counted in place, without looking who else has them.
public struct Tally<let size: Int>: Sendable {
  private var numbers = InlineArray<size, UInt64>(repeating: 0)

  /// Counts one more at a place.
  @inline(__always)
  package mutating func count(_ place: Int) { numbers[place] += 1 }
}

extension Tally: RandomAccessCollection {
  /// The first place.
  public var startIndex: Int { 0 }
  /// One past the last place.
  public var endIndex: Int { size }
  /// The number at a place.
  public subscript(_ place: Int) -> UInt64 { numbers[place] }
}

extension Tally: Equatable {
  /// Returns true when all numbers are the same.
  public static func == (one: Self, other: Self) -> Bool { one.elementsEqual(other) }
}
