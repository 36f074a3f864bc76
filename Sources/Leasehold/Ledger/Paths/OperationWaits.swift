import SysVTypes

// Who waits for raw operations on a set, and who is in their way.
//
// The line itself is the kernel's: each waiter sleeps in semop beside native programs, and who came first is served
// first. Here stands who they are, for lists and refusals.

/// A caller who waits for raw operations.
struct OperationSeat {
  let set: Int32
  let request: OperationRequest
  let since: MonotonicInstant
}

extension Ledger {
  /// Notes that a caller begins to wait for operations; ``operationLeft(_:_:at:)`` is the opposite.
  public func operationWaits(_ id: WaiterID, _ request: OperationRequest, on set: Int32, at now: MonotonicInstant) {
    let seat = OperationSeat(set: set, request: request, since: now)
    precondition(operations.updateValue(seat, forKey: id) == nil, "an operation waits once")
    if request.makesLease { observers.ring.note(.waiting, request, on: Self.operationsKey(set), at: now.nanoseconds) }
  }

  /// Notes that a caller waits for operations no more.
  ///
  /// - Parameter code: The code of what it is told, where nothing was done; `canceled` for nobody.
  public func operationLeft(_ id: WaiterID, _ code: LeaseholdError.Code?, at now: MonotonicInstant) {
    guard let seat = operations.removeValue(forKey: id), let code, seat.request.makesLease else { return }
    switch code {
    case .waitTimeout: observers.counters.timedOut += 1
    case .canceled: observers.counters.canceled += 1
    default: observers.counters.refused += 1
    }
    observers.ring.note(.left, seat.request, on: Self.operationsKey(seat.set), code.rawValue, at: now.nanoseconds)
  }

  /// The callers who wait for operations on a set, in the order they came.
  public func operationWaiters(on set: Int32) -> [WaiterSnapshot] {
    operations.filter { $0.value.set == set }.sorted { $0.key < $1.key }.map(\.value).map { seat in
      var waiter = WaiterSnapshot(
        owner: seat.request.owner, mode: .exclusive, count: 1, peer: seat.request.caller.peer, since: seat.since,
        until: seat.since + seat.request.wait)
      waiter.steps = seat.request.steps
      return waiter
    }
  }

  /// The leases that stand on a set, at most so many of those that a caller may know.
  public func holders(of set: Int32, max leasesMax: Int, within confinement: Confinement?) -> [LeaseSnapshot] {
    holders(on: nil, of: set).lazy.filter { confinement?.covers($0) ?? true }.prefix(leasesMax).map { snapshot($0) }
  }

  /// The numbers of leases that stand on a set, and of callers who wait for something of it.
  public func use(of set: Int32) -> (leases: Int, waiters: Int) {
    lockTable.locks(on: set).reduce((0, operationCount(on: set))) { sum, lock in
      (sum.0 + lock.heldCount, sum.1 + lock.queue.count)
    }
  }

  private func operationCount(on set: Int32) -> Int { operations.values.count { $0.set == set } }

  /// The error of operations that would have to wait, or waited too long: the semaphore in the way, and who has it.
  public func operationsBusy(
    _ code: LeaseholdError.Code, _ request: OperationRequest, on set: BankID, _ name: String,
    at now: MonotonicInstant
  ) -> LeaseholdError {
    if code == .locked, request.makesLease { observers.counters.busy += 1 }
    let values = lockTable.read(set: set.set).known ?? []
    let blocked = SemaphoreOperation.firstToWait(request.steps, values)
    let numbers = blocked.map { Int($0.semaphore) }
    let leases = holders(on: numbers.map { $0..<$0 + 1 }, of: set.set)
    let key = Self.operationsKey(set.set)
    var shown = LockSnapshot(key: key, kind: .slots, capacity: nil, version: 0)
    shown.holders = leases.prefix(10).map { snapshot($0) }
    shown.coolingCount = leases.count { $0.past != nil }
    shown.waiterCount = operationCount(on: set.set)
    var facts: [LeaseholdError.Fact] = [("set", .text(name))]
    var cause = "An operation would have to wait"
    if let blocked, let number = numbers {
      let process = lockTable.lastProcess(set.set, number).flatMap { $0 == lockTable.process ? nil : $0 }
      cause =
        "Semaphore \(number) of set \(name) is \(values[number]), so operation \(blocked.text) would have to wait"
      if !leases.isEmpty {
        cause += " ('holders' tell who has it)"
      } else if let process {
        cause += " (process \(process) changed it last)"
      }
      facts += [
        ("sem", .number(Int64(number))), ("value", .number(Int64(values[number]))),
        ("pid", process.map { .number(Int64($0)) } ?? .null),
        ("ncnt", .number(Int64(lockTable.waiters(set.set, number) ?? 0))),
      ]
    }
    let next = leases.prefix(64).lazy.map(\.whole.due).filter { $0 > 0 }.min()
    let left = next.map { TimeSpan(nanoseconds: $0 - now.nanoseconds) } ?? .seconds(1)
    let advice =
      code == .waitTimeout
      ? "; this lasted for \(request.wait.milliseconds) ms, so none was done; ask again to wait anew."
      : request.wait > .zero
        ? ", and one of them has nowait, so nothing was done; try again later."
        : ", and nothing was done; ask with wait=10s to wait, or try again later."
    return LeaseholdError(
      code, cause + advice, facts: facts, contention: shown, retryAfter: max(.seconds(1), left))
  }

  // MARK: On the semaphore of a lock

  /// The leases on raw operations that have something of the semaphore of a native lock, and how many units.
  func operationLeases(on lock: Lock) -> [(lease: Lease, units: Int)] {
    guard let others = lock.place.native?.locks[LockLayout.operationsNumber], others !== lock else { return [] }
    let semaphore = lock.place.semaphore
    return others.holders.compactMap { lease in
      let given = lease.adjustments.first { Int($0.semaphore) == semaphore }.map { Int($0.delta) } ?? 0
      // Apache's semaphores count who reads and who writes: there an operation takes by adding.
      let units = lock.place.isApache ? -given : given
      return units > 0 ? (lease, units) : nil
    }
  }
}
