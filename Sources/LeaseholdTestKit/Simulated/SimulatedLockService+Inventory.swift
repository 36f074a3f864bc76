public import Leasehold

extension SimulatedLockService {
  /// The simulated host's sets.
  public func semaphoreSets(from cursor: Int, limit: Int) throws(LeaseholdError) -> SemaphoreInventory {
    let banks = daemon.kernel.banks()
    var inventory = SemaphoreInventory()
    inventory.sets = banks.dropFirst(cursor).prefix(limit).map(describe)
    inventory.nextCursor = cursor + limit < banks.count ? cursor + limit : nil
    inventory.setsMax = daemon.kernel.setLimit
    inventory.semaphoresMax = 1_024_000_000
    inventory.perSetMax = 32_000
    inventory.operationsMax = 500
    inventory.usedSets = banks.count
    inventory.usedSemaphores = banks.count * NamedDialect.semaphoresPerBank
    return inventory
  }

  /// One simulated set.
  public func semaphoreSet(
    _ address: SemaphoreSetAddress, for caller: Caller
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
    SemaphoreSetInfo(
      key: bank.key, id: bank.set, uid: 0, gid: 0, creatorUID: 0, creatorGID: 0, mode: 0o600,
      semaphoreCount: NamedDialect.semaphoresPerBank, lastOperation: 0, lastChange: 0,
      role: daemon.ledger.bankUse(bank.set).map { .bank(locks: $0.locks, leases: $0.leases) })
  }
}
