public import Leasehold
import LeaseholdHost
import Synchronization
import SysV
import SystemPackage

extension LocalLockService {
  /// Does a list of operations as one step, now or as soon as the kernel can.
  ///
  /// - Throws: As ``SemaphoreService/operate(_:client:at:)``.
  public func operate(
    _ request: OperationRequest, client: (any OperationClient)?, at now: MonotonicInstant
  ) throws(LeaseholdError) -> OperationOutcome {
    let (set, info) = try findForeign(request.address, readable: false)
    try check(info, request.caller, request.steps.contains { $0.delta != 0 } ? .alter : .read)
    let undone = Set(request.steps.filter(\.undoes).map(\.semaphore)).count
    guard undone <= Limits.adjustments else { throw .tooManyUndone(undone, request.address) }
    let operations = request.steps
    try prepare(request, info, at: now)
    guard let client, request.wait > .zero else {
      switch try attempt(operations, on: set, request, info, at: now) {
      case .success(let outcome): return outcome
      case .failure(let error): throw explain(error, request, info, at: now)
      }
    }
    // Whatever the kernel says now, the thread that waits hears it again.
    if case .success(let outcome) = try attempt(operations, on: set, request, info, at: now) { return outcome }
    let claim = try request.caller.account?.claim(.operations)
    let wait = OperationWait(set: set, operations: operations, deadline: (now + request.wait).nanoseconds)
    let id = change { ledger in
      let id = lastOperation.add(1, ordering: .relaxed).newValue
      ledger.operationWaits(id, request, on: info.id, at: now)
      return id
    }
    do {
      try self.operations.begin(id) { [self] sleep in
        let outcome = wait.run(sleep)
        return { [self] in
          withExtendedLifetime(claim) { report(outcome, of: id, request, info, since: now, to: client) }
        }
      }
    } catch {
      change { $0.operationLeft(id, error == .stopped ? .draining : .tooManyWaiters, at: now) }
      switch error {
      case .stopped: throw LeaseholdError.operationsDrain
      case .noThread: throw LeaseholdError.noThreadToWait
      case .full: throw LeaseholdError.tooManyOperations(self.operations.threadsMax)
      }
    }
    return .waiting(id)
  }

  /// Refuses to write books, and looks for what a native program wrote before this hides it.
  private func prepare(
    _ request: OperationRequest, _ info: SemaphoreSetInfo, at now: MonotonicInstant
  ) throws(LeaseholdError) {
    let written = request.steps.filter { $0.delta != 0 }.map { Int($0.semaphore)..<Int($0.semaphore) + 1 }
    guard !written.isEmpty else { return }
    let moment = moment(now)
    try change { ledger throws(LeaseholdError) in
      try ledger.prepareToWrite(written, of: info.id, count: info.status.count, force: false, at: moment)
    }
  }

  /// Gives up a waiting operation whose caller is gone.
  public func cancelOperation(_ waiter: WaiterID) { operations.cancel(waiter) }

  /// Does the list if it can be done at once; this thread must not wait, so no operation may.
  private func attempt(
    _ operations: [SemaphoreOperation], on set: SemaphoreSet, _ request: OperationRequest, _ info: SemaphoreSetInfo,
    at now: MonotonicInstant
  ) throws(LeaseholdError) -> Result<OperationOutcome, Errno> {
    let list = operations.map(\.refusingToWait)
    guard request.makesLease else {
      if let error = set.attempt(list) { return .failure(error) }
      return .success(.performed(result(request, info, waited: .zero)))
    }
    let moment = moment(now)
    return try change { ledger throws(LeaseholdError) -> Result<OperationOutcome, Errno> in
      // In the ledger's mutex, so that no request writes the values between the operations and their lease.
      if let known = try ledger.replay(request, on: info.id) { return .success(.granted(known)) }
      if let error = set.attempt(list) { return .failure(error) }
      return .success(.granted(try lease(request, info, waited: .zero, in: ledger, at: moment)))
    }
  }

  /// Puts operations that were done on a lease.
  private func lease(
    _ request: OperationRequest, _ info: SemaphoreSetInfo, waited: TimeSpan, in ledger: Ledger, at moment: Moment
  ) throws(LeaseholdError) -> LeaseSnapshot {
    try ledger.lease(
      request, on: BankID(set: info.id, key: info.key), count: info.status.count, waited: waited, at: moment)
  }

  private func result(
    _ request: OperationRequest, _ info: SemaphoreSetInfo, waited: TimeSpan
  ) -> OperationResult {
    OperationResult(key: info.key, id: info.id, count: request.steps.count, waited: waited)
  }

  private func report(
    _ outcome: OperationWait.Outcome, of id: WaiterID, _ request: OperationRequest, _ info: SemaphoreSetInfo,
    since begun: MonotonicInstant, to client: any OperationClient
  ) {
    let now = HostClock.now()
    guard case .performed = outcome else {
      let error = error(of: outcome, request, info, at: now)
      change { $0.operationLeft(id, error?.code ?? .canceled, at: now) }
      if let error { client.refused(error) }
      return
    }
    let afterwards = moment(now)
    change { ledger in
      ledger.operationLeft(id, nil, at: now)
      ledger.operatedAfterWait(on: info.id, at: afterwards)
    }
    guard request.makesLease else { return client.performed(result(request, info, waited: now - begun)) }
    do throws(LeaseholdError) {
      client.granted(
        try change { ledger throws(LeaseholdError) in
          try lease(request, info, waited: now - begun, in: ledger, at: afterwards)
        })
    } catch {
      client.refused(error)
    }
  }

  /// The error that a caller is told whose operations were not done; `nil` where nobody is there to hear it.
  private func error(
    of outcome: OperationWait.Outcome, _ request: OperationRequest, _ info: SemaphoreSetInfo, at now: MonotonicInstant
  ) -> LeaseholdError? {
    switch outcome {
    case .performed, .canceled: nil
    case .timedOut: busy(.waitTimeout, request, info, at: now)
    case .failed(.identifierRemoved), .failed(.invalidArgument):
      .setRemoved(request.address, .identifierRemoved, at: now)
    case .failed(let error): explain(error, request, info, at: now)
    case .draining: .operationsDrain
    }
  }

  /// The error of operations that the kernel would let wait.
  func busy(
    _ code: LeaseholdError.Code, _ request: OperationRequest, _ info: SemaphoreSetInfo, at now: MonotonicInstant
  ) -> LeaseholdError {
    change { ledger in
      ledger.operationsBusy(
        code, request, on: BankID(set: info.id, key: info.key), request.address.text, at: now)
    }
  }
}

extension SemaphoreSet {
  /// Does a list in which no operation waits; `nil` when it is done.
  fileprivate func attempt(_ operations: [SemaphoreOperation]) -> Errno? {
    do throws(Errno) {
      try operate(operations)
      return nil
    } catch {
      return error
    }
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
  fileprivate static func tooManyUndone(_ count: Int, _ address: IPCAddress) -> LeaseholdError {
    LeaseholdError(
      .outOfRange,
      "Operations with undo name \(count) semaphores of set \(address.text); a lease takes back those of "
        + "\(Limits.adjustments). Use several requests.",
      facts: [
        ("set", .text(address.text)), ("parameter", .text("ops")), ("minimum", .number(1)),
        ("maximum", .number(Int64(Limits.adjustments))), ("errno", .text("E2BIG")),
      ])
  }

  /// The error of a wait for which no thread can be started.
  static var noThreadToWait: LeaseholdError {
    LeaseholdError(
      .kernelLimit,
      "The service cannot start one more thread to wait on (EAGAIN), so nothing was done: its limit of tasks is "
        + "reached (TasksMax, pids.max, ulimit -u). Try again later.",
      facts: [("errno", .text("EAGAIN")), ("limit", .text("tasks"))], retryAfter: .seconds(1))
  }

  /// As many wait as may.
  static func tooManyOperations(_ operationsMax: Int) -> LeaseholdError {
    LeaseholdError(
      .tooManyWaiters,
      "The service waits for \(operationsMax) raw operations, its maximum (operation-waiters); try again later.",
      facts: [("limit", .text("operation-waiters")), ("maximum", .number(Int64(operationsMax)))],
      retryAfter: .seconds(1))
  }
}
