import Leasehold
import Logging

/// The wait of an acquire, for the log.
struct WaitNote: Sendable {
  /// The lock; of several, the first.
  let key: LockKey
  let trace: TraceContext
  let owner: String?
  /// The requests before it, where its own belongs to a trace.
  var queue: QueueNote?
}

extension WaitNote {
  init(_ request: AcquireRequest) {
    self.init(key: request.want.lock.key, trace: request.caller.trace, owner: request.owner)
  }
}

/// A line for each request that waited for a lock: how long, whose it was, and how it ended.
///
/// Waits of at least ``slow`` are logged at info, at most ``LineBudget/linesPerSecond`` a second, others at debug.
final class WaitLog: Sendable {
  private let log: Logger
  private let slow: TimeSpan
  private let budget = LineBudget()

  init(_ log: Logger, slow: TimeSpan) {
    self.log = log
    self.slow = slow
  }

  /// Says how many lines were left out, if the second is over and no line has said so.
  func flush() {
    let skipped = budget.untold(Server.now())
    if skipped > 0 { log.info("more requests waited", metadata: ["left_out": .stringConvertible(skipped)]) }
  }

  /// Logs a wait that is over.
  func note(
    _ note: WaitNote, _ outcome: String, waited: TimeSpan, lease: LeaseSnapshot? = nil, _ exchange: Exchange,
    requestID: [UInt8]
  ) {
    let isSlow = waited >= slow
    guard log.logLevel <= (isSlow ? .info : .debug) else { return }
    guard let skipped = isSlow ? budget.admit(Server.now()) : 0 else { return }
    var metadata: Logger.Metadata = [
      "lock": "\(note.key)", "waited_ms": .stringConvertible(waited.milliseconds), "outcome": "\(outcome)",
      "peer": "\(exchange.connection.peer.address ?? "unknown")",
      "request_id": "\(String(decoding: requestID, as: UTF8.self))",
    ]
    if let pid = exchange.connection.peer.pid { metadata["pid"] = .stringConvertible(pid) }
    if let token = exchange.context.token { metadata["token"] = "\(token.name)" }
    if let lease { metadata["ref"] = "\(lease.ref)" }
    if let owner = lease?.owner ?? note.owner { metadata["owner"] = "\(owner)" }
    note.trace.describe(&metadata)
    // It may have been granted before the queue was looked at.
    if let holder = note.queue?.holder, holder.id != lease?.id {
      metadata["holder_ref"] = "\(holder.ref)"
      if let owner = holder.owner { metadata["holder_owner"] = "\(owner)" }
      if let pid = holder.peer.pid { metadata["holder_pid"] = .stringConvertible(pid) }
      if let trace = holder.trace.traceID { metadata["holder_trace_id"] = "\(trace)" }
    }
    if let queue = note.queue {
      metadata["holders"] = .stringConvertible(queue.holders)
      metadata["waiters"] = .stringConvertible(queue.waiters)
    }
    if skipped > 0 { metadata["left_out"] = .stringConvertible(skipped) }
    log.log(level: isSlow ? .info : .debug, "waited for a lock", metadata: metadata)
  }
}
