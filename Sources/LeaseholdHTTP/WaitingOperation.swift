import Leasehold
import Synchronization

/// A request that is parked until somebody answers it.
protocol WaitingRequest: AnyObject {
  /// The peer is gone.
  func hungUp()
}

/// Raw semaphore operations that wait in the kernel.
///
/// Life cycle: made with the exchange; told by the service that they were done or refused, at most once, from any
/// thread; called off when the peer hangs up. What was done before the hang-up was seen stays done, as it does for a
/// program that dies right after semop(2), and what it had asked to be taken back is.
final class WaitingOperation: OperationClient, WaitingRequest {
  private let exchange: Exchange
  private let server: Server
  private let requestID: [UInt8]
  private let trace: TraceContext
  private let asText: Bool
  private let waiter = Mutex<WaiterID?>(nil)
  /// The lease that the answer hands over, until somebody undoes it.
  private let grant = Mutex<LeaseID?>(nil)

  init(_ exchange: Exchange, server: Server, asText: Bool) {
    self.exchange = exchange
    // The request's memory belongs to the connection's thread, and answers come from others.
    requestID = exchange.withRequestID { Array($0) }
    trace = exchange.trace
    self.server = server
    self.asText = asText
  }

  /// The wait has begun; it may even be over by now.
  func begin(_ waiter: WaiterID) { self.waiter.withLock { $0 = waiter } }

  func hungUp() {
    guard let waiter = waiter.withLock({ $0.take() }) else { return }
    server.service.cancelOperation(waiter)
  }

  func performed(_ result: OperationResult) { exchange.resolve(result.response) }

  func granted(_ lease: LeaseSnapshot) {
    if !lease.replayed { grant.withLock { $0 = lease.id } }
    if !exchange.resolve(server.writer(at: Server.now()).granted(lease, asText: asText)) { undoGrant() }
  }

  /// The answer did not get through, or lost against a hang-up: undoes the grant, once whoever asks.
  func undoGrant() {
    guard let lease = grant.withLock({ $0.take() }) else { return }
    server.service.undeliver(lease, at: Server.now())
  }

  func refused(_ error: LeaseholdError) {
    server.refusals.note(error, to: exchange, operation: "operateSemaphores", trace: trace, requestID: requestID)
    exchange.resolve(server.writer(at: Server.now()).response(error, requestID: requestID, asText: asText))
  }
}

extension OperationResult {
  /// The answer: what was done, and where.
  var response: Response {
    var json = ResponseBuffer(capacity: 128)
    json.open("done")
    json.append("true" as StaticString)
    json.member("key", Int(key))
    json.member("id", Int(id))
    json.member("ops", count)
    json.member("waited_ms", Int(waited.milliseconds))
    json.closeAnswer()
    return Response(status: 200, contentType: "application/json", body: json)
  }
}
