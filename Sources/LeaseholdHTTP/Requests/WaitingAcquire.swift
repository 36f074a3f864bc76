import Leasehold
import Synchronization

/// An acquire, or a list of raw semaphore operations, on its way: waits for its grant, answers it, and for a hold keeps
/// the answer open.
///
/// Life cycle: made when the engine asks for the client to tell, for operations that may wait, or for a hold; told that
/// it is granted or refused, at most once, from any thread; told by the listener that the peer hung up; over when the
/// exchange is completed. If a grant and a hang-up meet, the exchange decides, and a grant that lost is withdrawn.
/// Operations without a lease that were done before the hang-up was seen stay done, as they do for a program that dies
/// right after semop(2).
final class WaitingAcquire: LeaseClient, OperationClient, PendingRequest {
  private let request: ParkedRequest
  private let isHold: Bool
  private let form: StateLock?
  /// Where its operations wait; `nil` for an acquire.
  private let semaphores: (any SemaphoreService)?
  private let state: Mutex<State>

  private struct State {
    var waiter: WaiterID?
    /// The grant that the answer hands over, until it is taken back.
    var grant: Grant?
    var hold: HoldStream?
    var note: WaitNote?
  }

  /// - Parameter note: What it waits for, for the log; `nil` for operations, of which the log tells nothing.
  init(
    _ exchange: Exchange, server: Server, asText: Bool, isHold: Bool = false, form: StateLock? = nil,
    operatingOn semaphores: (any SemaphoreService)? = nil, _ note: WaitNote?
  ) {
    request = ParkedRequest(exchange, server: server, asText: asText)
    self.isHold = isHold
    self.form = form
    self.semaphores = semaphores
    state = Mutex(State(note: note))
    exchange.context.pending = self
  }

  private var server: Server { request.server }

  /// The wait has begun, behind others; it may even be over by now.
  func begin(_ waiter: WaiterID, behind queue: QueueNote?) {
    state.withLock { state in
      state.waiter = waiter
      state.note?.queue = queue
    }
  }

  /// Logs the wait, if there was one.
  private func log(_ outcome: String, lease: LeaseSnapshot? = nil) {
    let (note, waiter) = state.withLock { ($0.note, $0.waiter) }
    guard let note, waiter != nil || lease.map({ $0.waited > .zero }) ?? false else { return }
    // A converted lease tells of the wait for its first form.
    let told = lease.flatMap { $0.isConverted ? nil : $0.waited }
    let waited = told ?? Server.now() - request.exchange.now
    server.waits.note(note, outcome, waited: waited, lease: lease, request.exchange, requestID: request.requestID)
  }

  func hungUp() {
    if let semaphores {
      if let waiter = state.withLock({ $0.waiter.take() }) { semaphores.cancelOperation(waiter) }
      return
    }
    guard let waiter = state.withLock({ $0.waiter }) else { return }
    log("hung-up")
    server.engine.locks.withdraw(.waiter(waiter), at: Server.now())
  }

  func performed(_ result: OperationResult) { request.answer(result.response) }

  func granted(_ lease: LeaseSnapshot) {
    if !lease.replayed, !lease.isConverted { state.withLock { $0.grant = lease.grant } }
    if lease.bindsConnection { request.exchange.connection.keepOpen(true) }
    let response: Response?
    if isHold {
      response = holdResponse(lease)
    } else {
      response = form?.granted(lease) ?? server.writer(at: Server.now()).granted(lease, asText: request.asText)
    }
    guard let response else { return server.run { [self] in refused(end(of: lease)) } }
    guard !request.answer(response) else { return log("granted", lease: lease) }
    // The exchange may have been completed before the hold began.
    forgetHold()
    undoGrant()
  }

  /// The error of a lease that ended before its answer began.
  func end(of lease: LeaseSnapshot) -> LeaseholdError {
    let now = Server.now()
    do {
      _ = try server.engine.locks.lease(lease.id, at: now)
    } catch {
      return error
    }
    return LeaseholdError.gone(
      .released, "The lease ended before its answer began. Acquire again.", key: lease.key, ref: lease.ref,
      reason: .released, endedAt: now.nanoseconds)
  }

  /// The answer did not get through, or lost against a hang-up.
  private func undoGrant() {
    guard let grant = state.withLock({ $0.grant.take() }) else { return }
    server.engine.locks.withdraw(.grant(grant), at: Server.now())
  }

  func refused(_ error: LeaseholdError) {
    do throws(LeaseholdError) {
      guard let form else { throw error }
      request.answer(try form.refused(error))
      log("granted")
    } catch {
      log(request.refuse(error).rawValue)
    }
  }

  func renewed(until deadline: MonotonicInstant?) { state.withLock(\.hold)?.renewed(until: deadline) }

  func ended(_ reason: EndReason, _ note: BreakNote?, at instant: MonotonicInstant) {
    state.withLock(\.hold)?.end(reason, note, at: instant, writer: server.writer(at: Server.now()))
  }

  func breaking(at end: MonotonicInstant, _ note: BreakNote) {
    state.withLock(\.hold)?.breaking(at: end, note, writer: server.writer(at: Server.now()))
  }

  func askedToYield() { state.withLock(\.hold)?.yield() }

  /// The open answer of a hold: the lease, then heartbeats.
  ///
  /// `nil` when the lease ended already.
  func holdResponse(_ lease: LeaseSnapshot) -> Response? {
    request.exchange.connection.keepOpen(true)
    let writer = server.writer(at: Server.now())
    let hold = HoldStream(lease, asText: request.asText)
    state.withLock { $0.hold = hold }
    hold.begin(lease, writer: writer)
    server.holds.add(hold)
    guard server.engine.locks.follow(lease.id, client: self) else {
      hold.end(.released, nil, at: writer.now, writer: writer)
      forgetHold()
      return nil
    }
    var response = Response(
      status: lease.replayed ? 200 : 201,
      contentType: request.asText ? "text/plain; charset=utf-8" : "application/x-ndjson", stream: hold.stream)
    if !lease.replayed { response.location = lease.id }
    return response
  }

  func completed(delivered: Bool) {
    if !delivered, semaphores != nil { hungUp() }
    // The lease of a hold whose answer has begun ends with its connection, as bound leases do.
    if !delivered, state.withLock({ $0.hold == nil }) { undoGrant() }
    forgetHold()
  }

  /// A hold beats no longer.
  private func forgetHold() {
    if let hold = state.withLock({ $0.hold.take() }) { server.holds.remove(hold) }
  }
}
