import Synchronization

/// The counts of answered requests by operation and status class, and the times that they took.
///
/// A request that was answered at once costs two relaxed additions, any other costs one. Nothing is locked or
/// allocated.
final class RequestCounts: @unchecked Sendable {
  /// The last row counts requests that reached no operation.
  private static let rows = Endpoint.all.count + 1
  /// 2xx, 4xx, 5xx.
  static let classes = 3
  /// The bounds of durations, in nanoseconds: each is four times the last, from 15.625 µs to 4.096 s.
  static let bounds: [UInt64] = (0..<10).map { firstBound << (2 * UInt64($0)) }
  private static let firstBound: UInt64 = 15_625

  // The cells of an operation and a class: requests without a duration, one for each bound, one beyond them, the sum.
  private static let untimed = 0
  private static let buckets = 11
  private static let sum = 1 + buckets
  private static let stride = 2 + buckets

  private let cells: UnsafeMutablePointer<Atomic<UInt64>>

  /// All of them.
  var total: UInt64 {
    let operations = [nil] + Endpoint.all.indices.map(Optional.some)
    return operations.reduce(0) { sum, operation in
      (0..<Self.classes).reduce(sum) { $0 &+ value(operation: operation, column: $1) }
    }
  }

  init() {
    let count = Self.rows * Self.classes * Self.stride
    cells = .allocate(capacity: count)
    for place in 0..<count { (cells + place).initialize(to: Atomic(0)) }
  }

  deinit { cells.deallocate() }

  /// Counts one that is not timed; `nil` where no operation was reached.
  func count(_ operation: Int?, status: Int) {
    cells[place(operation, column(status)) + Self.untimed].add(1, ordering: .relaxed)
  }

  /// Counts one that took so many nanoseconds.
  func count(_ operation: Int, status: Int, nanoseconds: UInt64) {
    let first = place(operation, column(status))
    cells[first + 1 + Self.bucket(nanoseconds)].add(1, ordering: .relaxed)
    cells[first + Self.sum].add(nanoseconds, ordering: .relaxed)
  }

  /// The count of an operation (`nil`: none was reached) in one status class.
  func value(operation: Int?, column: Int) -> UInt64 {
    let first = place(operation, column)
    return (first..<first + Self.sum).reduce(0) { $0 &+ cells[$1].load(ordering: .relaxed) }
  }

  /// The durations of an operation in one status class; `nil` where none was noted.
  ///
  /// - Returns: The numbers of those below the bound of the same place and not below the one before, the last without a
  ///   bound; and all together, in nanoseconds.
  func durations(operation: Int, column: Int) -> (counts: [UInt64], sum: UInt64)? {
    let first = place(operation, column)
    let counts = (0..<Self.buckets).map { cells[first + 1 + $0].load(ordering: .relaxed) }
    guard counts.contains(where: { $0 > 0 }) else { return nil }
    return (counts, cells[first + Self.sum].load(ordering: .relaxed))
  }

  /// The place of the first bound that a duration does not exceed.
  private static func bucket(_ nanoseconds: UInt64) -> Int {
    let bits = UInt64.bitWidth - ((nanoseconds &- (nanoseconds > 0 ? 1 : 0)) / firstBound).leadingZeroBitCount
    return min((bits + 1) / 2, buckets - 1)
  }

  private func column(_ status: Int) -> Int { status < 400 ? 0 : status < 500 ? 1 : 2 }

  private func place(_ operation: Int?, _ column: Int) -> Int {
    ((operation ?? Self.rows - 1) * Self.classes + column) * Self.stride
  }
}
