public import SysVTypes

/// Hears how a waiting operation went.
///
/// Called at most once, on any thread, outside every lock.
public protocol OperationClient: AnyObject, Sendable {
  /// The whole list was done, as one step.
  func performed(_ result: OperationResult)
  /// The whole list was done, as one step, and is on a lease. If the answer cannot be delivered, withdraw the grant.
  func granted(_ lease: LeaseSnapshot)
  /// Nothing was done.
  func refused(_ error: LeaseholdError)
}

/// The outcome of a list of operations.
public enum OperationOutcome: Sendable {
  /// Done, as one step.
  case performed(OperationResult)
  /// Done, as one step; the end of the lease takes back what was to be taken back.
  case granted(LeaseSnapshot)
  /// The client will hear of it.
  case waiting(WaiterID)
}

/// The semaphore sets of the host, as semget(2), semop(2) and semctl(2) give them.
///
/// Sets that this service keeps for itself can be read and not changed. A caller who is known (see ``Caller``) gets no
/// more than the set's owner and mode grant that user.
public protocol SemaphoreService: AnyObject, Sendable {
  /// The host's sets, from an index on, and the kernel's limits.
  ///
  /// - Throws: `internal` where the kernel does not tell its sets.
  func semaphoreSets(from cursor: Int, limit: Int) throws(LeaseholdError) -> SemaphoreInventory
  /// One set with all its semaphores.
  ///
  /// - Throws: `no-such-set`, `permission-denied`.
  func semaphoreSet(_ address: IPCAddress, for caller: Caller) throws(LeaseholdError) -> SemaphoreSetDetail
  /// One semaphore of a set.
  ///
  /// - Throws: As ``semaphoreSet(_:for:)``, and `no-such-semaphore`.
  func semaphore(
    _ number: Int, of address: IPCAddress, for caller: Caller
  ) throws(LeaseholdError) -> (info: SemaphoreSetInfo, semaphore: SemaphoreInfo)
  /// Opens a set, and makes it where there is none, which is new then; no other program sees a new one before it has
  /// its values.
  ///
  /// - Throws: `exists` when it was to be new, `nsems-mismatch` where a smaller one is there, `out-of-range` for more
  ///   semaphores than a set can have, `permission-denied`, `own-set`, `kernel-limit`, `no-such-set` where it is
  ///   removed again and again.
  func makeSemaphoreSet(_ request: SemaphoreSetRequest) throws(LeaseholdError) -> (info: SemaphoreSetInfo, isNew: Bool)
  /// Changes owner, group or mode (semctl(2), IPC_SET); `nil` keeps.
  ///
  /// - Throws: As ``semaphoreSet(_:for:)``; `own-set`, `out-of-range` for an owner that does not exist here.
  func changeSemaphoreSet(
    _ address: IPCAddress, uid: UInt32?, gid: UInt32?, mode: UInt16?, caller: Caller
  ) throws(LeaseholdError) -> SemaphoreSetInfo
  /// Writes values; every undo of the numbers written is forgotten, as the kernel does.
  ///
  /// Leases stand in the way unless forced; then they are broken, and give nothing back: the answer has their short
  /// names.
  ///
  /// - Throws: As ``semaphore(_:of:for:)``; `nsems-mismatch` for another number of values, `in-use` for leases
  ///   without `force`, `forbidden` for leases outside the confinement, `own-set`.
  func writeSemaphores(
    _ address: IPCAddress, _ values: SemaphoreValues, force: Bool, caller: Caller, at now: MonotonicInstant
  ) throws(LeaseholdError) -> (info: SemaphoreSetInfo, broken: [String])
  /// Removes a set; leases and waiters stand in the way unless forced.
  ///
  /// - Throws: As ``semaphoreSet(_:for:)``; `in-use` without `force`, `forbidden` for leases outside the confinement,
  ///   `own-set`.
  func removeSemaphoreSet(
    _ address: IPCAddress, force: Bool, caller: Caller, at now: MonotonicInstant
  ) throws(LeaseholdError) -> SemaphoreSetInfo
  /// Does a list of operations as one step, now or, when the request has a wait, as soon as the kernel can.
  ///
  /// If one of them is to be taken back, they are on a lease whose end does it as the kernel does at a process's exit:
  /// without waiting, cut at 0 and at 32767.
  ///
  /// - Throws: As ``semaphoreSet(_:for:)``; `out-of-range` for a number that the set does not have and for too many
  ///   operations, `locked` where they would have to wait, `kernel-limit`, `own-set`, `idempotency-mismatch`, the end
  ///   of a lease that is repeated (`expired` and so on), `ledger-full`, `caller-limit`, `too-many-waiters`,
  ///   `draining`. A client hears of `wait-timeout` and `set-removed` as well.
  func operate(
    _ request: OperationRequest, client: (any OperationClient)?, at now: MonotonicInstant
  ) throws(LeaseholdError) -> OperationOutcome
  /// Gives up a waiting operation whose caller is gone, if it was not done meanwhile.
  func cancelOperation(_ waiter: WaiterID)
}
