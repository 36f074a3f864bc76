public import Leasehold
import Synchronization
import SysV
import SystemPackage

extension LocalLockService {
  /// The host's sets in the order of the kernel's table, and the kernel's limits.
  public func semaphoreSets(from cursor: Int, limit: Int) throws(LeaseholdError) -> SemaphoreInventory {
    do {
      let limits = try SemaphoreLimits.current()
      let usage = try SemaphoreUsage.current()
      let entries = try IPCInventory.semaphoreSets()
      var inventory = SemaphoreInventory()
      inventory.sets = entries.dropFirst(cursor).prefix(limit).map { describe($0.set, $0.status) }
      inventory.nextCursor = cursor + limit < entries.count ? cursor + limit : nil
      inventory.maximumSets = limits.sets
      inventory.maximumSemaphores = limits.semaphores
      inventory.maximumPerSet = limits.semaphoresPerSet
      inventory.maximumOperations = limits.operationsPerCall
      inventory.maximumValue = limits.maximumValue
      inventory.usedSets = usage.sets
      inventory.usedSemaphores = usage.semaphores
      return inventory
    } catch {
      throw LeaseholdError(
        .internalError, "The kernel does not tell its semaphore sets (\(error.label)).",
        facts: [("errno", .text(error.label))])
    }
  }

  /// One set with all its semaphores.
  public func semaphoreSet(_ address: SemaphoreSetAddress) throws(LeaseholdError) -> SemaphoreSetDetail {
    do {
      let set = try resolve(address)
      let status = try set.status()
      let values = try set.values()
      var semaphores: [SemaphoreInfo] = []
      for (number, value) in values.enumerated() {
        let pid = try set.lastProcessID(of: number)
        let leases = core.withLock { $0.ledger.leases(on: number, of: set.id) }
        semaphores.append(
          SemaphoreInfo(
            value: Int(value), pid: pid > 0 ? pid : nil, increaseWaiters: try set.waiterCount(of: number),
            zeroWaiters: try set.zeroWaiterCount(of: number), leases: leases))
      }
      return SemaphoreSetDetail(info: describe(set, status), semaphores: semaphores)
    } catch {
      throw Self.explain(error, address)
    }
  }

  private func resolve(_ address: SemaphoreSetAddress) throws(Errno) -> SemaphoreSet {
    switch address {
    case .id(let id): SemaphoreSet(id: id)
    case .key(let key): try SemaphoreSet.open(key: IPCKey(rawValue: key))
    }
  }

  private func describe(_ set: SemaphoreSet, _ status: SemaphoreSet.Status) -> SemaphoreSetInfo {
    let use = core.withLock { $0.ledger.bankUse(set.id) }
    let role: SemaphoreSetInfo.Role? =
      set == controlSet ? .control : use.map { .bank(locks: $0.locks, leases: $0.leases) }
    let permissions = status.permissions
    return SemaphoreSetInfo(
      key: permissions.key.rawValue, id: set.id, uid: permissions.owner, gid: permissions.group,
      creatorUID: permissions.creator, creatorGID: permissions.creatorGroup,
      mode: UInt16(truncatingIfNeeded: permissions.mode.rawValue), semaphoreCount: status.count,
      lastOperation: status.operatedAtSeconds ?? 0, lastChange: status.changedAtSeconds, role: role)
  }

  private static func explain(_ error: Errno, _ address: SemaphoreSetAddress) -> LeaseholdError {
    let name =
      switch address {
      case .id(let id): "id:\(id)"
      case .key(let key): "0x" + String(UInt32(bitPattern: key), radix: 16)
      }
    let facts: [(name: String, value: LeaseholdError.Value)] = [("set", .text(name)), ("errno", .text(error.label))]
    switch error {
    case .noSuchFileOrDirectory, .invalidArgument, .identifierRemoved:
      return LeaseholdError(
        .noSuchSet, "This IPC namespace has no semaphore set \(name); GET /semaphores lists those it has.", facts: facts
      )
    case .permissionDenied, .notPermitted:
      return LeaseholdError(
        .permissionDenied,
        "The mode of semaphore set \(name) does not let this service read it; GET /semaphores shows its owner and "
          + "mode.",
        facts: facts)
    default:
      return LeaseholdError(.internalError, "The kernel does not tell set \(name) (\(error.label)).", facts: facts)
    }
  }
}
