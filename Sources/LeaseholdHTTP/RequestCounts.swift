import Synchronization

/// How many requests each operation answered, by status class.
///
/// One relaxed addition a request.
final class RequestCounts: Sendable {
  /// The last row counts requests that reached no operation.
  private static let rows = Endpoint.all.count + 1
  /// 2xx, 4xx, 5xx.
  static let classes = 3

  private let cells: [Cell] = (0..<rows * classes).map { _ in Cell() }

  private final class Cell: Sendable {
    let value = Atomic<UInt64>(0)
  }

  /// Counts one; `operation` is a position in ``Endpoint/all``.
  func count(operation: Int?, status: Int) {
    let column = status < 400 ? 0 : status < 500 ? 1 : 2
    cells[(operation ?? Self.rows - 1) * Self.classes + column].value.add(1, ordering: .relaxed)
  }

  /// The count of an operation (`nil`: none was reached) in one status class.
  func value(operation: Int?, column: Int) -> UInt64 {
    cells[(operation ?? Self.rows - 1) * Self.classes + column].value.load(ordering: .relaxed)
  }
}
