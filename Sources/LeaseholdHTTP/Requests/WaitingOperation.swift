import Leasehold
import Synchronization

/// Raw semaphore operations that wait in the kernel.
///
/// Life cycle: made with the exchange; told by the service that they were done or refused, at most once, from any
/// thread; called off when the peer hangs up. What was done before the hang-up was seen stays done, as it does for a
/// program that dies right after semop(2), and what it had asked to be taken back is.
final class WaitingOperation: OperationClient, PendingRequest {
  private let request: ParkedRequest
  private let semaphores: any SemaphoreService
  private let waiter = Mutex<WaiterID?>(nil)
  /// The grant that the answer hands over, until it is taken back.
  private let grant = Mutex<Grant?>(nil)

  init(_ request: ParkedRequest, _ semaphores: any SemaphoreService) {
    self.request = request
    self.semaphores = semaphores
  }

  /// The wait has begun; it may even be over by now.
  func begin(_ waiter: WaiterID) { self.waiter.withLock { $0 = waiter } }

  func hungUp() {
    guard let waiter = waiter.withLock({ $0.take() }) else { return }
    semaphores.cancelOperation(waiter)
  }

  func performed(_ result: OperationResult) { request.answer(result.response) }

  func granted(_ lease: LeaseSnapshot) {
    if !lease.replayed { grant.withLock { $0 = lease.grant } }
    let answer = request.server.writer(at: Server.now()).granted(lease, asText: request.asText)
    if !request.answer(answer) { undoGrant() }
  }

  func refused(_ error: LeaseholdError) { request.refuse(error) }

  func completed(delivered: Bool) {
    guard !delivered else { return }
    hungUp()
    undoGrant()
  }

  /// The answer did not get through, or lost against a hang-up.
  private func undoGrant() {
    if let grant = grant.withLock({ $0.take() }) { request.withdraw(grant) }
  }
}

extension OperationResult {
  /// The answer: what was done, and where.
  var response: Response {
    .json(capacity: 128) { json in
      json.open("done")
      json.append("true" as StaticString)
      json.member("key", Int(key))
      json.member("id", Int(id))
      json.member("ops", count)
      json.member("waited_ms", Int(waited.milliseconds))
    }
  }
}
