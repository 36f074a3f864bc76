package import Leasehold
package import SysVTypes

extension SimulatedLockService {
  package func semaphoreSets(from cursor: Int, limit: Int) throws(LeaseholdError) -> SemaphoreInventory {
    let banks = daemon.kernel.banks()
    var (limits, usage) = (SemaphoreLimits(), SemaphoreUsage())
    (limits.sets, limits.semaphores) = (daemon.kernel.setLimit, 1_024_000_000)
    (limits.semaphoresPerSet, limits.operationsPerCall) = (32_000, 500)
    (usage.sets, usage.semaphores) = (banks.count, banks.count * NamedDialect.semaphoresPerBank)
    return SemaphoreInventory(banks, from: cursor, limit: limit, limits, usage, describing: describe)
  }

  package func semaphoreSet(
    _ address: IPCAddress, for caller: Caller
  ) throws(LeaseholdError) -> SemaphoreSetDetail {
    let found = daemon.kernel.banks().first { bank in
      switch address {
      case .key(let key): bank.key == key
      case .id(let id): bank.set == id
      }
    }
    guard let bank = found else { throw LeaseholdError(.noSuchSet, "The simulated host has no such semaphore set.") }
    let kernel = daemon.kernel
    let refs = daemon.ledger.refsBySemaphore(of: bank.set, limit: LockSnapshot.listed)
    let semaphores = (0..<NamedDialect.semaphoresPerBank).map { number in
      SemaphoreInfo(
        value: kernel.value(bank.set, number) ?? 0, pid: kernel.lastProcess(bank.set, number),
        increaseWaiters: kernel.waiters(bank.set, number) ?? 0, zeroWaiters: 0,
        leases: refs[number] ?? [])
    }
    return SemaphoreSetDetail(info: describe(bank), semaphores: semaphores)
  }

  private func describe(_ bank: BankID) -> SemaphoreSetInfo {
    let permissions = IPCPermissions(
      key: IPCKey(rawValue: bank.key), owner: 0, group: 0, creator: 0, creatorGroup: 0, mode: .ownerReadWrite)
    return SemaphoreSetInfo(
      id: bank.set, status: SemaphoreSetStatus(permissions: permissions, count: NamedDialect.semaphoresPerBank),
      role: daemon.ledger.bankUse(bank.set).map { .bank(locks: $0.locks, leases: $0.leases) })
  }
}
