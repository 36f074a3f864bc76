import Leasehold
import LeaseholdHost
import SysVTypes

extension AnswerWriter {
  /// A semaphore set, left open for more members.
  func set(_ set: SemaphoreSetInfo, into json: inout ResponseBuffer) {
    ipc(set.id, set.status.permissions, into: &json)
    json.member("nsems", set.status.count)
    let (operated, changed) = (set.status.operatedAtSeconds ?? 0, set.status.changedAtSeconds)
    instant("otime", operated, into: &json)
    instant("ctime", changed, into: &json)
    json.member("otime_seconds", Int(operated))
    json.member("ctime_seconds", Int(changed))
    json.next("leasehold")
    switch set.role {
    case nil: json.append("null" as StaticString)
    case .control?: json.append("{\"role\":\"control\",\"locks\":0,\"leases\":0}" as StaticString)
    case .bank(let locks, let leases)?:
      json.append("{\"role\":\"bank\",\"locks\":" as StaticString)
      json.append(decimal: locks)
      json.member("leases", leases)
      json.append(UInt8(ascii: "}"))
    }
    json.member("held", set.leases)
    json.member("waiting", set.waiting)
  }

  /// The members of a set and of a segment that name it and its users, left open for more.
  func ipc(_ id: Int32, _ permissions: IPCPermissions, into json: inout ResponseBuffer) {
    json.open("key", Int(permissions.key.rawValue))
    json.member("id", Int(id))
    json.member("uid", Int(permissions.owner))
    json.member("gid", Int(permissions.group))
    json.member("cuid", Int(permissions.creator))
    json.member("cgid", Int(permissions.creatorGroup))
    // Four digits, as chmod(1) takes them.
    json.member("mode", permissions.mode.rawValue.digits(4, radix: 8))
  }

  private func instant(_ name: StaticString, _ seconds: Int64, into json: inout ResponseBuffer) {
    json.next(name)
    if seconds > 0 { json.append(rfc3339: seconds * 1_000_000_000) } else { json.append("null" as StaticString) }
  }

  /// The whole of a set with its semaphores, left open.
  func detail(_ detail: SemaphoreSetDetail, into json: inout ResponseBuffer) {
    set(detail.info, into: &json)
    json.member("values", each: detail.semaphores) { $1.append(decimal: $0.value) }
    json.member("semaphores", each: Array(detail.semaphores.enumerated())) { semaphore, json in
      members(semaphore.offset, semaphore.element, into: &json)
      json.append(UInt8(ascii: "}"))
    }
    json.member("holders", each: detail.holders) { holder($0, into: &$1) }
    json.member("waiters", each: detail.waiters) { waiter($0, into: &$1) }
  }

  /// One semaphore, left open for more members.
  func members(_ number: Int, _ semaphore: SemaphoreInfo, into json: inout ResponseBuffer) {
    json.open("sem", number)
    json.member("value", semaphore.value)
    json.member("pid", Int(semaphore.pid ?? 0))
    json.member("ncnt", semaphore.increaseWaiters)
    json.member("zcnt", semaphore.zeroWaiters)
    json.list("leases", semaphore.leases)
  }

  /// Writes what the kernel allows, and what is left of it.
  func limits(_ inventory: SemaphoreInventory, into json: inout ResponseBuffer) {
    json.append(",\"limits\":{\"semmni\":" as StaticString)
    json.append(decimal: inventory.limits.sets)
    json.member("semmns", inventory.limits.semaphores)
    json.member("semmsl", inventory.limits.semaphoresPerSet)
    json.member("semopm", inventory.limits.operationsPerCall)
    json.member("semvmx", inventory.limits.valueMax)
    json.append("},\"used\":{\"sets\":" as StaticString)
    json.append(decimal: inventory.usage.sets)
    json.member("semaphores", inventory.usage.semaphores)
    json.append("},\"free\":{\"sets\":" as StaticString)
    json.append(decimal: max(0, inventory.limits.sets - inventory.usage.sets))
    json.member("semaphores", max(0, inventory.limits.semaphores - inventory.usage.semaphores))
    json.append(UInt8(ascii: "}"))
  }
}
