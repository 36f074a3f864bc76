import Leasehold
import Synchronization

/// An acquire on its way: waits for its grant, answers it, and for a hold keeps the answer open.
///
/// Life cycle: made with the exchange; told by the lock service that it is granted or refused, at most once, from any
/// thread; told by the listener that the peer hung up; over when the exchange is completed. If a grant and a hang-up
/// meet, the exchange decides, and a grant that lost is undone.
final class WaitingAcquire: LeaseClient, WaitingRequest {
  private let exchange: Exchange
  private let server: Server
  private let requestID: [UInt8]
  private let asText: Bool
  let isHold: Bool
  private let state: Mutex<State>

  private struct State {
    var waiter: WaiterID?
    /// The lease that the answer hands over, until somebody undoes it.
    var grant: LeaseID?
    var hold: HoldStream?
    var note: WaitNote
  }

  /// - Parameter request: What it waits for, for the log.
  init(_ exchange: Exchange, server: Server, asText: Bool, isHold: Bool, _ request: AcquireRequest) {
    self.exchange = exchange
    // The request's memory belongs to the connection's thread, and errors come from others.
    requestID = exchange.withRequestID { Array($0) }
    self.server = server
    self.asText = asText
    self.isHold = isHold
    state = Mutex(
      State(
        note: WaitNote(key: request.key, trace: request.caller.trace, owner: request.owner)))
  }

  /// The wait has begun; it may even be over by now.
  func begin(_ waiter: WaiterID) { state.withLock { $0.waiter = waiter } }

  /// Finds out for whom the request waits, where it belongs to a trace: so the log tells who held up whom.
  ///
  /// On the connection's thread, after ``begin(_:)``.
  func lookForHolder(_ request: AcquireRequest) {
    guard !request.caller.trace.isNone else { return }
    guard let lock = try? server.service.lock(request.key, request.native, listed: 1) else { return }
    state.withLock { $0.note.queue = QueueNote(lock) }
  }

  /// Logs the wait, if there was one.
  private func log(_ outcome: String, lease: LeaseSnapshot? = nil) {
    let (note, waiter) = state.withLock { ($0.note, $0.waiter) }
    guard waiter != nil || lease.map({ $0.waited > .zero }) ?? false else { return }
    // A converted lease tells of the wait for its first form.
    let told = lease.flatMap { $0.isConverted ? nil : $0.waited }
    let waited = told ?? Server.now() - exchange.now
    server.waits.note(note, outcome, waited: waited, lease: lease, exchange, requestID: requestID)
  }

  /// Whether this is a hold whose answer has begun: then its lease ends with the connection, as bound leases do.
  var hasBegunHold: Bool { state.withLock { $0.hold != nil } }

  /// The peer is gone.
  func hungUp() {
    guard let waiter = state.withLock({ $0.waiter }) else { return }
    log("hung-up")
    server.service.cancel(waiter, at: Server.now())
  }

  func granted(_ lease: LeaseSnapshot) {
    if !lease.replayed, !lease.isConverted { state.withLock { $0.grant = lease.id } }
    if lease.bindsConnection { exchange.connection.keepOpen(true) }
    let response: Response?
    if isHold {
      response = holdResponse(lease)
    } else {
      response = server.writer(at: Server.now()).granted(lease, asText: asText)
    }
    guard let response else {
      return refused(end(of: lease))
    }
    guard !exchange.resolve(response) else { return log("granted", lease: lease) }
    // The exchange may have been completed before the hold began.
    completed()
    undoGrant()
  }

  /// How a lease ended before its answer began.
  func end(of lease: LeaseSnapshot) -> LeaseholdError {
    let now = Server.now()
    do {
      _ = try server.service.lease(lease.id, at: now)
    } catch {
      return error
    }
    return LeaseholdError.gone(
      .released, "The lease ended before its answer began. Acquire again.", key: lease.key, ref: lease.ref,
      reason: .released, endedAt: now.nanoseconds)
  }

  /// The answer did not get through, or lost against a hang-up: undoes the grant, once whoever asks.
  func undoGrant() {
    guard let lease = state.withLock({ $0.grant.take() }) else { return }
    server.service.undeliver(lease, at: Server.now())
  }

  func refused(_ error: LeaseholdError) {
    let (problem, writer) = (error.told(to: exchange.token), server.writer(at: Server.now()))
    let operation: StaticString = isHold ? "holdLock" : "acquireLock"
    server.refusals.note(
      problem, to: exchange, operation: operation, trace: state.withLock(\.note.trace), requestID: requestID)
    exchange.resolve(writer.response(problem, requestID: requestID, asText: asText))
    log(problem.code.rawValue)
  }

  func ended(_ reason: EndReason, at instant: MonotonicInstant) {
    state.withLock { $0.hold }?.end(reason, at: instant, writer: server.writer(at: Server.now()))
  }

  func breaking(at end: MonotonicInstant, _ note: BreakNote) {
    state.withLock { $0.hold }?.breaking(at: end, note, writer: server.writer(at: Server.now()))
  }

  /// The open answer of a hold: the lease, then heartbeats.
  ///
  /// `nil` when the lease ended already.
  func holdResponse(_ lease: LeaseSnapshot) -> Response? {
    exchange.connection.keepOpen(true)
    let writer = server.writer(at: Server.now())
    let hold = HoldStream(lease, asText: asText)
    state.withLock { $0.hold = hold }
    hold.begin(lease, writer: writer)
    server.holds.add(hold)
    guard server.service.follow(lease.id, client: self) else {
      hold.end(.released, at: writer.now, writer: writer)
      completed()
      return nil
    }
    var response = Response(
      status: lease.replayed ? 200 : 201,
      contentType: asText ? "text/plain; charset=utf-8" : "application/x-ndjson", stream: hold.stream)
    if !lease.replayed { response.add("Location") { $0.append(pathOf: lease.id) } }
    return response
  }

  /// The exchange is over: a hold beats no longer.
  func completed() {
    guard let hold = state.withLock({ $0.hold.take() }) else { return }
    server.holds.remove(hold)
  }
}
