import Leasehold
import Synchronization

/// The budget for lines of one kind that the log takes in a second; the next line says how many were left out.
final class LineBudget: Sendable {
  private struct Window {
    var second: Int64 = -1
    var lines = 0
    var leftOut: UInt64 = 0
  }

  /// The most lines of one second.
  static let linesPerSecond = 10

  private let window = Mutex(Window())
  private let leftOut = Atomic<UInt64>(0)

  /// Returns true when a line may be written now; then, how many were not since the last one.
  func admit(_ now: MonotonicInstant) -> UInt64? {
    let second = now.nanoseconds / 1_000_000_000
    return window.withLock { window in
      if window.second != second {
        window.second = second
        window.lines = 0
      }
      guard window.lines < Self.linesPerSecond else {
        window.leftOut += 1
        leftOut.add(1, ordering: .relaxed)
        return nil
      }
      window.lines += 1
      defer { window.leftOut = 0 }
      return window.leftOut
    }
  }

  /// The number of lines that were left out, if the second is over and no line has said so.
  func untold(_ now: MonotonicInstant) -> UInt64 {
    let second = now.nanoseconds / 1_000_000_000
    return window.withLock { window in
      guard window.second != second else { return 0 }
      defer { window.leftOut = 0 }
      return window.leftOut
    }
  }

  /// Lines that were not written, ever.
  var linesLeftOut: UInt64 { leftOut.load(ordering: .relaxed) }
}
