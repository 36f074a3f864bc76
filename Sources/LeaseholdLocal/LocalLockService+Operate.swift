public import Leasehold
import LeaseholdHost
import Synchronization
import SysV
import SystemPackage

/// A list of operations on a set that was found.
struct RawOperation: Sendable {
  let request: OperationRequest
  let set: SemaphoreSet
  let info: SemaphoreSetInfo

  /// The set as the ledger knows it.
  var bank: BankID { BankID(set: info.id, key: info.key) }

  /// Does the list if it can be done at once; this thread must not wait, so no operation may.
  ///
  /// - Returns: `nil` when it is done.
  func attempt() -> Errno? {
    let list = request.steps.map {
      SemaphoreOperation(semaphore: $0.semaphore, delta: $0.delta, flags: $0.flags.union(.nowait))
    }
    do throws(Errno) {
      try set.operate(list)
      return nil
    } catch {
      return error
    }
  }

  func result(waited: TimeSpan) -> OperationResult {
    OperationResult(key: info.key, id: info.id, count: request.steps.count, waited: waited)
  }

  /// Puts operations that were done on a lease.
  func lease(waited: TimeSpan, in ledger: Ledger, at moment: Moment) throws(LeaseholdError) -> LeaseSnapshot {
    try ledger.lease(request, on: bank, count: info.status.count, waited: waited, at: moment)
  }
}

extension LocalLockService {
  /// Does a list of operations as one step, now or as soon as the kernel can.
  ///
  /// - Throws: As ``SemaphoreService/operate(_:client:at:)``.
  public func operate(
    _ request: OperationRequest, client: (any OperationClient)?, at now: MonotonicInstant
  ) throws(LeaseholdError) -> OperationOutcome {
    let access: IPCAccess = request.steps.contains { $0.delta != 0 } ? .alter : .read
    let (set, info) = try findForeign(request.address, for: request.caller, access)
    let operation = RawOperation(request: request, set: set, info: info)
    let undone = Set(request.steps.filter(\.undoes).map(\.semaphore)).count
    guard undone <= Limits.adjustments else { throw .tooManyUndone(undone, request.address) }
    try prepare(operation, at: now)
    let refusal: Errno
    switch try attempt(operation, at: now) {
    case .success(let outcome): return outcome
    case .failure(let error): refusal = error
    }
    // Whatever the kernel says now, the thread that waits hears it again.
    guard let client, request.wait > .zero else { throw explain(refusal, operation, at: now) }
    let claim = try request.caller.account?.claim(.operations)
    let deadline = (now + request.wait).nanoseconds
    let id = change { ledger in
      let id = lastOperation.add(1, ordering: .relaxed).newValue
      ledger.operationWaits(id, request, on: info.id, at: now)
      return id
    }
    do {
      try self.operations.begin(id) { [self] sleep in
        let end = request.steps.withUnsafeBufferPointer { set.sleep($0, until: deadline, sleep) }
        return { [self] in
          withExtendedLifetime(claim) { report(end, of: id, operation, since: now, to: client) }
        }
      }
    } catch {
      change { $0.operationLeft(id, error == .stopped ? .draining : .tooManyWaiters, at: now) }
      switch error {
      case .stopped: throw LeaseholdError.operationsDrain
      case .noThread: throw LeaseholdError.noThreadToWait
      case .full: throw LeaseholdError.tooManyOperations(options.limits.operationWaiters)
      }
    }
    return .waiting(id)
  }

  /// Refuses to write books, and looks for what a native program wrote before this hides it.
  private func prepare(_ operation: RawOperation, at now: MonotonicInstant) throws(LeaseholdError) {
    let (info, steps) = (operation.info, operation.request.steps)
    let written = steps.filter { $0.delta != 0 }.map { Int($0.semaphore)..<Int($0.semaphore) + 1 }
    guard !written.isEmpty else { return }
    let moment = moment(now)
    try change { ledger throws(LeaseholdError) in
      try ledger.prepareToWrite(written, of: info.id, count: info.status.count, force: false, at: moment)
    }
  }

  /// Gives up a waiting operation whose caller is gone.
  public func cancelOperation(_ waiter: WaiterID) { operations.cancel(waiter) }

  /// Does the list if it can be done at once.
  private func attempt(
    _ operation: RawOperation, at now: MonotonicInstant
  ) throws(LeaseholdError) -> Result<OperationOutcome, Errno> {
    guard operation.request.makesLease else {
      return operation.attempt().map { .failure($0) } ?? .success(.performed(operation.result(waited: .zero)))
    }
    let moment = moment(now)
    return try change { ledger throws(LeaseholdError) -> Result<OperationOutcome, Errno> in
      // In the ledger's mutex, so that no request writes the values between the operations and their lease.
      if let known = try ledger.replay(operation.request, on: operation.info.id) { return .success(.granted(known)) }
      if let error = operation.attempt() { return .failure(error) }
      return .success(.granted(try operation.lease(waited: .zero, in: ledger, at: moment)))
    }
  }

  private func report(
    _ end: SleepEnd, of id: WaiterID, _ operation: RawOperation, since begun: MonotonicInstant,
    to client: any OperationClient
  ) {
    let now = HostClock.now()
    guard case .performed = end else {
      let error = error(of: end, operation, at: now)
      change { $0.operationLeft(id, error?.code ?? .canceled, at: now) }
      if let error { client.refused(error) }
      return
    }
    let afterwards = moment(now)
    change { ledger in
      ledger.operationLeft(id, nil, at: now)
      ledger.operatedAfterWait(on: operation.info.id, at: afterwards)
    }
    guard operation.request.makesLease else { return client.performed(operation.result(waited: now - begun)) }
    do throws(LeaseholdError) {
      client.granted(
        try change { ledger throws(LeaseholdError) in
          try operation.lease(waited: now - begun, in: ledger, at: afterwards)
        })
    } catch {
      client.refused(error)
    }
  }

  /// The error that a caller is told whose operations were not done; `nil` where nobody is there to hear it.
  private func error(
    of end: SleepEnd, _ operation: RawOperation, at now: MonotonicInstant
  ) -> LeaseholdError? {
    switch end {
    case .performed, .calledOff(.canceled): nil
    case .timedOut: busy(.waitTimeout, operation, at: now)
    case .failed(let error) where error.saysGone:
      .setRemoved(operation.request.address, .identifierRemoved, at: now)
    case .failed(let error): explain(error, operation, at: now)
    case .calledOff(.stopped): .operationsDrain
    }
  }

  /// The error of operations that the kernel would let wait.
  func busy(_ code: LeaseholdError.Code, _ operation: RawOperation, at now: MonotonicInstant) -> LeaseholdError {
    change { ledger in
      ledger.operationsBusy(
        code, operation.request, on: operation.bank, operation.request.address.text, at: now)
    }
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
