import Leasehold
import Logging
import Synchronization

/// Who was refused what: counted all, logged as far as the log can take it.
///
/// A line has the reason, the operation, who is at the other end and the name of its token; never a token, a lease's
/// id or a path. At most ``linesPerSecond`` lines a second; the next line says how many were left out.
final class Refusals: Sendable {
  /// The most lines of one second.
  static let linesPerSecond = 10

  private struct Window {
    var second: Int64 = -1
    var lines = 0
    var leftOut: UInt64 = 0
  }

  private final class Cell: Sendable {
    let value = Atomic<UInt64>(0)
  }

  private let log: Logger
  private let window = Mutex(Window())
  private let cells: [ProblemCode: Cell]
  private let leftOut = Atomic<UInt64>(0)

  init(_ log: Logger) {
    self.log = log
    cells = Dictionary(
      uniqueKeysWithValues: ProblemCode.allCases.filter(Self.isOne).map { ($0, Cell()) })
  }

  /// Whether a code refuses who asks and not what is asked.
  private static func isOne(_ code: ProblemCode) -> Bool { [401, 403, 421, 429].contains(code.status) }

  /// Whether a problem is a refusal.
  func counts(_ problem: Problem) -> Bool { cells[problem.code] != nil }

  /// Counts and logs a problem if it is a refusal.
  func note(_ problem: Problem, to exchange: Exchange, operation: StaticString?) {
    guard let cell = cells[problem.code] else { return }
    cell.value.add(1, ordering: .relaxed)
    guard let skipped = admit(Server.now()) else { return }
    var metadata: Logger.Metadata = [
      "code": "\(problem.code.rawValue)", "operation": "\(operation ?? "none")", "reason": "\(problem.detail)",
      "peer": "\(exchange.connection.knownPeer.address ?? "unknown")",
    ]
    if let uid = exchange.connection.knownPeer.uid { metadata["uid"] = "\(uid)" }
    if let pid = exchange.connection.knownPeer.pid { metadata["pid"] = "\(pid)" }
    if let token = exchange.token { metadata["token"] = "\(token.name)" }
    if skipped > 0 { metadata["left_out"] = "\(skipped)" }
    log.notice("refused", metadata: metadata)
  }

  /// Whether a line may be written now; then, how many were not since the last one.
  private func admit(_ now: MonotonicInstant) -> UInt64? {
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

  /// Says how many lines were left out, if the second is over and no line has said so.
  func flush() {
    let second = Server.now().nanoseconds / 1_000_000_000
    let skipped = window.withLock { window in
      guard window.second != second else { return UInt64(0) }
      defer { window.leftOut = 0 }
      return window.leftOut
    }
    if skipped > 0 { log.notice("refused more", metadata: ["left_out": "\(skipped)"]) }
  }

  /// How often each code was answered, in the order of the table.
  var counts: [(code: ProblemCode, count: UInt64)] {
    ProblemCode.allCases.compactMap { code in
      cells[code].map { (code, $0.value.load(ordering: .relaxed)) }
    }
  }

  /// Lines that were not written.
  var linesLeftOut: UInt64 { leftOut.load(ordering: .relaxed) }
}
