public import Leasehold
import Synchronization
import SysV
import SystemPackage
public import SysVTypes

extension LocalLockService {
  /// The host's sets in the order of the kernel's table, and the kernel's limits.
  ///
  /// - Throws: As ``SemaphoreService/semaphoreSets(from:limit:)``.
  public func semaphoreSets(from cursor: Int, limit: Int) throws(LeaseholdError) -> SemaphoreInventory {
    do {
      let (limits, usage) = (try SemaphoreLimits.current(), try SemaphoreUsage.current())
      // Each set takes one call, so none is made where only their number is asked for.
      let entries = limit > 0 ? try IPCInventory.semaphoreSets() : []
      return SemaphoreInventory(entries, from: cursor, limit: limit, limits, usage) { describe($0.set, $0.status) }
    } catch {
      throw LeaseholdError(
        .internalError, "The kernel does not tell its semaphore sets (\(error.label)).",
        facts: [("errno", .text(error.label))])
    }
  }

  /// One set with all its semaphores.
  ///
  /// - Throws: As ``SemaphoreService/semaphoreSet(_:for:)``.
  public func semaphoreSet(
    _ address: IPCAddress, for caller: Caller
  ) throws(LeaseholdError) -> SemaphoreSetDetail {
    let (set, info) = try find(address)
    try check(info, caller, .read)
    do {
      let values = try set.values()
      let (refs, holders, waiters) = core.withLock { core in
        (
          core.ledger.refsBySemaphore(of: set.id, limit: LockSnapshot.listed),
          core.ledger.holders(of: set.id, max: LockSnapshot.listed, within: caller.confinement),
          core.ledger.operationWaiters(on: set.id)
        )
      }
      var semaphores: [SemaphoreInfo] = []
      for (number, value) in values.enumerated() {
        semaphores.append(try look(at: number, of: set, value: value, leases: refs[number] ?? []))
      }
      var detail = SemaphoreSetDetail(info: info, semaphores: semaphores)
      (detail.holders, detail.waiters) = (holders, waiters)
      return detail
    } catch {
      throw explain(error, address, "read")
    }
  }

  /// One semaphore of a set.
  ///
  /// - Throws: As ``SemaphoreService/semaphore(_:of:for:)``.
  public func semaphore(
    _ number: Int, of address: IPCAddress, for caller: Caller
  ) throws(LeaseholdError) -> (info: SemaphoreSetInfo, semaphore: SemaphoreInfo) {
    let (set, info) = try find(address)
    try check(info, caller, .read)
    guard number < info.status.count else { throw .noSuchSemaphore(number, info, address) }
    let refs = core.withLock { $0.ledger.refs(on: number..<number + 1, of: set.id) }
    let semaphore = try explaining(
      look(at: number, of: set, value: set.value(of: number), leases: Array(refs.prefix(LockSnapshot.listed)))
    ) { explain($0, address, "read") }
    return (info, semaphore)
  }

  private func look(
    at number: Int, of set: SemaphoreSet, value: UInt16, leases: [String]
  ) throws(Errno) -> SemaphoreInfo {
    let pid = try set.lastProcessID(of: number)
    return SemaphoreInfo(
      value: Int(value), pid: pid > 0 ? pid : nil, increaseWaiters: try set.waiterCount(of: number),
      zeroWaiters: try set.zeroWaiterCount(of: number), leases: leases)
  }

  /// The set of a name, as the kernel describes it.
  func find(_ address: IPCAddress) throws(LeaseholdError) -> (set: SemaphoreSet, info: SemaphoreSetInfo) {
    let set = try explaining(SemaphoreSet.named(address)) { explain($0, address, "read") }
    return (set, describe(set, try explaining(set.status()) { explain($0, address, "read") }))
  }

  /// Gives a known caller no more than the kernel would give.
  func check(_ info: SemaphoreSetInfo, _ caller: Caller, _ access: IPCAccess) throws(LeaseholdError) {
    let permissions = info.status.permissions
    guard permissions.lets(caller.peer, access, groups: caller.groups) else {
      throw .notYours("set", "id:\(info.id)", access, list: "/semaphores")
    }
  }

  func describe(_ set: SemaphoreSet, _ status: SemaphoreSet.Status) -> SemaphoreSetInfo {
    let (bank, use) = core.withLock { ($0.ledger.bankUse(set.id), $0.ledger.use(of: set.id)) }
    let role: SemaphoreSetInfo.Role? =
      set == controlSet ? .control : bank.map { .bank(locks: $0.locks, leases: $0.leases) }
    var info = SemaphoreSetInfo(id: set.id, status: status, role: role)
    (info.leases, info.waiting) = (use.leases, use.waiters)
    return info
  }
}
