public import Leasehold
public import SysVTypes

/// A lock service over no host, or over a simulated one that has no sets but the service's own.
public protocol HostWithoutNativeSets: SemaphoreService {}

extension HostWithoutNativeSets {
  private func none() -> LeaseholdError {
    LeaseholdError(.noSuchSet, "The simulated host has no sets but the service's own.")
  }

  /// Finds nothing.
  public func semaphore(
    _ number: Int, of address: IPCAddress, for caller: Caller
  ) throws(LeaseholdError) -> NumberedSemaphore { throw none() }

  /// Makes nothing.
  public func makeSemaphoreSet(_ request: SemaphoreSetRequest) throws(LeaseholdError) -> OpenedSemaphoreSet {
    throw none()
  }

  /// Changes nothing.
  public func changeSemaphoreSet(
    _ address: IPCAddress, _ change: SemaphoreSetChange
  ) throws(LeaseholdError) -> SemaphoreSetInfo { throw none() }

  /// Writes nothing.
  public func writeSemaphores(
    _ request: SemaphoreWrite, at now: MonotonicInstant
  ) throws(LeaseholdError) -> SemaphoresWritten { throw none() }

  /// Removes nothing.
  public func removeSemaphoreSet(
    _ address: IPCAddress, force: Bool, caller: Caller, at now: MonotonicInstant
  ) throws(LeaseholdError) -> SemaphoreSetInfo { throw none() }

  /// Does nothing.
  public func operate(
    _ request: OperationRequest, client: (any OperationClient)?, at now: MonotonicInstant
  ) throws(LeaseholdError) -> OperationOutcome { throw none() }

  /// There is nothing to give up.
  public func cancelOperation(_ waiter: WaiterID) {}
}
