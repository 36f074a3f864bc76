public import Leasehold
import Synchronization
import SysV
import SystemPackage

extension LocalLockService {
  /// Does a list of operations as one step, now or as soon as the kernel can.
  public func operate(
    _ request: OperationRequest, client: (any OperationClient)?, at now: MonotonicInstant
  ) throws(LeaseholdError) -> OperationOutcome {
    let (set, info) = try findForeign(request.address, readable: false)
    try check(info, request.caller, request.steps.contains { $0.delta != 0 } ? .alter : .read)
    let result = OperationResult(key: info.key, id: info.id, count: request.steps.count, waited: .zero)
    let operations = request.steps.map(\.operation)
    guard let client, request.wait > .zero else {
      // Nobody waits on this thread, so no operation may.
      do {
        try set.operate(operations.map(\.refusingToWait))
      } catch {
        throw explain(error, request, info)
      }
      return .performed(result)
    }
    if set.tryNow(operations) { return .performed(result) }
    let job = OperationJob(
      set: set, operations: operations, deadline: (now + request.wait).nanoseconds,
      finish: { [self] outcome in report(outcome, request, info, result, since: now, to: client) })
    return .waiting(try self.operations.begin(job))
  }

  /// Nobody wants to hear of it any more.
  public func cancelOperation(_ waiter: WaiterID) { operations.cancel(waiter) }

  private func report(
    _ outcome: OperationJob.Outcome, _ request: OperationRequest, _ info: SemaphoreSetInfo, _ result: OperationResult,
    since begun: MonotonicInstant, to client: any OperationClient
  ) {
    switch outcome {
    case .performed:
      var result = result
      result.waited = HostClock.now() - begun
      client.performed(result)
    case .timedOut:
      client.refused(
        LeaseholdError(
          .waitTimeout,
          "The operations could not be done within \(request.wait.milliseconds) ms, so none was; ask again to wait "
            + "anew.",
          facts: [("set", .text(request.address.name)), ("errno", .text("EAGAIN"))], retryAfter: .seconds(1)))
    case .failed(.identifierRemoved), .failed(.invalidArgument):
      client.refused(.setRemoved(request.address, .identifierRemoved))
    case .failed(let error): client.refused(explain(error, request, info))
    case .draining: client.refused(.operationsDrain)
    case .canceled: break
    }
  }
}

extension SemaphoreSet {
  /// Whether the list went through at once.
  ///
  /// Whatever else the kernel says, the thread that waits hears it again.
  fileprivate func tryNow(_ operations: [SemaphoreOperation]) -> Bool {
    (try? operate(operations.map(\.refusingToWait))) != nil
  }
}

extension SemaphoreStep {
  fileprivate var operation: SemaphoreOperation {
    SemaphoreOperation(semaphore: semaphore, delta: delta, flags: refusesToWait ? .nowait : [])
  }
}

extension SemaphoreOperation {
  fileprivate var refusingToWait: SemaphoreOperation {
    SemaphoreOperation(semaphore: semaphore, delta: delta, flags: flags.union(.nowait))
  }
}

extension LeaseholdError {
  /// The service stops.
  static var operationsDrain: LeaseholdError {
    LeaseholdError(
      .draining, "The service is stopping; nothing was done. Try again when it is back.", retryAfter: .seconds(1))
  }

  /// As many wait as may.
  static func tooManyOperations(_ most: Int) -> LeaseholdError {
    LeaseholdError(
      .tooManyWaiters,
      "The service waits for \(most) raw operations, its maximum (operation-waiters); try again later.",
      facts: [("limit", .text("operation-waiters")), ("maximum", .number(Int64(most)))], retryAfter: .seconds(1))
  }
}
