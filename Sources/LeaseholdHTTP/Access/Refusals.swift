import Leasehold
import Logging
import Synchronization

/// The refusals: all are counted, and logged as far as the log can take it.
///
/// A line has the reason, the operation, the peer and the name of its token; never a token, a lease's id or a path. At
/// most ``LineBudget/linesPerSecond`` lines a second; the next line says how many were left out.
final class Refusals: Sendable {
  private let log: Logger
  let budget = LineBudget()
  private let numbers = Mutex<[LeaseholdError.Code: UInt64]>([:])

  init(_ log: Logger) { self.log = log }

  /// The codes that refuse the caller and not what it asks for, in the order of the table.
  private static let codes = ProblemTable.rows.filter { isRefusal($0.value.status) }.map(\.key)

  private static func isRefusal(_ status: UInt16) -> Bool {
    switch status {
    case 401, 403, 421, 429: true
    default: false
    }
  }

  /// Counts and logs a problem if it is a refusal.
  ///
  /// - Parameters:
  ///   - status: What it was answered with.
  ///   - trace: What the request is a part of, read on the connection's thread.
  ///   - requestID: What its answer has as X-Request-Id, read there too.
  func note(
    _ problem: LeaseholdError, _ status: UInt16, to exchange: Exchange, trace: @autoclosure () -> TraceContext,
    requestID: @autoclosure () -> [UInt8]
  ) {
    guard Self.isRefusal(status), Self.codes.contains(problem.code) else { return }
    numbers.withLock { $0[problem.code, default: 0] += 1 }
    guard let skipped = budget.admit(Server.now()) else { return }
    var metadata: Logger.Metadata = [
      "code": "\(problem.code.rawValue)", "operation": "\(exchange.context.endpoint?.pointee.operation ?? "none")",
      "reason": "\(problem.detail)",
      "peer": "\(exchange.connection.peer.address ?? "unknown")",
      "request_id": "\(String(decoding: requestID(), as: UTF8.self))",
    ]
    if let uid = exchange.connection.peer.uid { metadata["uid"] = .stringConvertible(uid) }
    if let pid = exchange.connection.peer.pid { metadata["pid"] = .stringConvertible(pid) }
    if let token = exchange.context.token { metadata["token"] = "\(token.name)" }
    trace().describe(&metadata)
    if skipped > 0 { metadata["left_out"] = .stringConvertible(skipped) }
    log.notice("refused", metadata: metadata)
  }

  /// Says how many lines were left out, if the second is over and no line has said so.
  func flush() {
    let skipped = budget.untold(Server.now())
    if skipped > 0 { log.notice("refused more", metadata: ["left_out": .stringConvertible(skipped)]) }
  }

  /// The number of times that each code was answered, in the order of the table.
  var counts: [(code: LeaseholdError.Code, count: UInt64)] {
    numbers.withLock { numbers in Self.codes.map { ($0, numbers[$0] ?? 0) } }
  }
}
