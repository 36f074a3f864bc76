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
    let undone = Set(request.steps.filter(\.undoes).map(\.semaphore)).count
    guard undone <= Limits.adjustments else { throw .tooManyUndone(undone, request.address) }
    let operations = request.steps.map(\.operation)
    guard let client, request.wait > .zero else {
      // Nobody waits on this thread, so no operation may.
      do {
        try set.operate(operations.map(\.refusingToWait))
      } catch {
        throw explain(error, request, info)
      }
      return try finish(request, info, since: now, at: now)
    }
    if set.tryNow(operations) { return try finish(request, info, since: now, at: now) }
    let job = OperationJob(
      set: set, operations: operations, deadline: (now + request.wait).nanoseconds,
      finish: { [self] outcome in report(outcome, request, info, since: now, to: client) })
    return .waiting(try self.operations.begin(job))
  }

  /// Nobody wants to hear of it any more.
  public func cancelOperation(_ waiter: WaiterID) { operations.cancel(waiter) }

  /// After the operations: what to answer, which is a lease where some are to be taken back.
  private func finish(
    _ request: OperationRequest, _ info: SemaphoreSetInfo, since begun: MonotonicInstant, at now: MonotonicInstant
  ) throws(LeaseholdError) -> OperationOutcome {
    guard request.makesLease else {
      return .performed(
        OperationResult(key: info.key, id: info.id, count: request.steps.count, waited: now - begun))
    }
    let moment = moment(now)
    let set = BankID(set: info.id, key: info.key)
    return .granted(
      try change { ledger in
        caught { () throws(LeaseholdError) in
          try ledger.lease(request, on: set, count: info.semaphoreCount, waited: now - begun, at: moment)
        }
      }.get())
  }

  private func report(
    _ outcome: OperationJob.Outcome, _ request: OperationRequest, _ info: SemaphoreSetInfo,
    since begun: MonotonicInstant, to client: any OperationClient
  ) {
    switch outcome {
    case .performed:
      do throws(LeaseholdError) {
        switch try finish(request, info, since: begun, at: HostClock.now()) {
        case .performed(let result): client.performed(result)
        case .granted(let lease): client.granted(lease)
        case .waiting: break
        }
      } catch {
        client.refused(error)
      }
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
    var flags: SemaphoreOperation.Flags = refusesToWait ? .nowait : []
    if undoes { flags.insert(.undo) }
    return SemaphoreOperation(semaphore: semaphore, delta: delta, flags: flags)
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

  /// More semaphores than the record of a lease has room for.
  fileprivate static func tooManyUndone(_ count: Int, _ address: SemaphoreSetAddress) -> LeaseholdError {
    LeaseholdError(
      .outOfRange,
      "Operations with undo name \(count) semaphores of set \(address.name); a lease takes back those of "
        + "\(Limits.adjustments). Use several requests.",
      facts: [
        ("set", .text(address.name)), ("parameter", .text("ops")), ("minimum", .number(1)),
        ("maximum", .number(Int64(Limits.adjustments))), ("errno", .text("E2BIG")),
      ])
  }

  /// As many wait as may.
  static func tooManyOperations(_ most: Int) -> LeaseholdError {
    LeaseholdError(
      .tooManyWaiters,
      "The service waits for \(most) raw operations, its maximum (operation-waiters); try again later.",
      facts: [("limit", .text("operation-waiters")), ("maximum", .number(Int64(most)))], retryAfter: .seconds(1))
  }
}
