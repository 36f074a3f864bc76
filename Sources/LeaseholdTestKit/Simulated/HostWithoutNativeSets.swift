package import Leasehold
package import SysVTypes

/// A lock service over no host, which has no sets.
package protocol HostWithoutNativeSets: SemaphoreService {}

extension HostWithoutNativeSets {
  private func none() -> LeaseholdError {
    LeaseholdError(.noSuchSet, "The simulated host has no sets.")
  }

  package func semaphore(
    _ number: Int, of address: IPCAddress, for caller: Caller
  ) throws(LeaseholdError) -> (info: SemaphoreSetInfo, semaphore: SemaphoreInfo) { throw none() }

  package func makeSemaphoreSet(_ request: SemaphoreSetRequest) throws(LeaseholdError) -> (
    info: SemaphoreSetInfo, isNew: Bool
  ) {
    throw none()
  }

  package func changeSemaphoreSet(
    _ address: IPCAddress, uid: UInt32?, gid: UInt32?, mode: UInt16?, caller: Caller
  ) throws(LeaseholdError) -> SemaphoreSetInfo { throw none() }

  package func writeSemaphores(
    _ address: IPCAddress, _ values: SemaphoreValues, force: Bool, caller: Caller, at now: MonotonicInstant
  ) throws(LeaseholdError) -> (info: SemaphoreSetInfo, broken: [String]) { throw none() }

  package func removeSemaphoreSet(
    _ address: IPCAddress, force: Bool, caller: Caller, at now: MonotonicInstant
  ) throws(LeaseholdError) -> SemaphoreSetInfo { throw none() }
}
