import Leasehold

extension AnswerWriter {
  /// A semaphore set, left open for more members.
  func set(_ set: SemaphoreSetInfo, into json: inout ResponseBuffer) {
    json.open("key")
    json.append(decimal: Int(set.key))
    json.member("id", Int(set.id))
    json.member("uid", Int(set.uid))
    json.member("gid", Int(set.gid))
    json.member("cuid", Int(set.creatorUID))
    json.member("cgid", Int(set.creatorGID))
    json.member("mode", octal(set.mode))
    json.member("nsems", set.semaphoreCount)
    instant("otime", set.lastOperation, into: &json)
    instant("ctime", set.lastChange, into: &json)
    json.member("otime_seconds", Int(set.lastOperation))
    json.member("ctime_seconds", Int(set.lastChange))
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

  /// Four digits, as chmod(1) takes them.
  func octal(_ mode: UInt16) -> String {
    let digits = String(mode, radix: 8)
    return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
  }

  private func instant(_ name: StaticString, _ seconds: Int64, into json: inout ResponseBuffer) {
    json.next(name)
    if seconds > 0 { json.append(rfc3339: seconds * 1_000_000_000) } else { json.append("null" as StaticString) }
  }

  /// The whole of a set with its semaphores, left open.
  func detail(_ detail: SemaphoreSetDetail, into json: inout ResponseBuffer) {
    set(detail.info, into: &json)
    json.next("values")
    json.append(each: detail.semaphores) { $1.append(decimal: $0.value) }
    json.next("semaphores")
    json.append(each: Array(detail.semaphores.enumerated())) { semaphore, json in
      members(semaphore.offset, semaphore.element, into: &json)
      json.append(UInt8(ascii: "}"))
    }
    json.next("holders")
    json.append(each: detail.holders) { listed($0, withKey: false, into: &$1) }
    json.next("waiters")
    json.append(each: detail.waiters) { waiter($0, into: &$1) }
  }

  /// One semaphore, left open for more members.
  func members(_ number: Int, _ semaphore: SemaphoreInfo, into json: inout ResponseBuffer) {
    json.open("sem")
    json.append(decimal: number)
    json.member("value", semaphore.value)
    json.member("pid", Int(semaphore.pid ?? 0))
    json.member("ncnt", semaphore.increaseWaiters)
    json.member("zcnt", semaphore.zeroWaiters)
    json.list("leases", semaphore.leases)
  }

  /// Writes what the kernel allows, and what is left of it.
  func limits(_ inventory: SemaphoreInventory, into json: inout ResponseBuffer) {
    json.append(",\"limits\":{\"semmni\":" as StaticString)
    json.append(decimal: inventory.setsMax)
    json.member("semmns", inventory.semaphoresMax)
    json.member("semmsl", inventory.perSetMax)
    json.member("semopm", inventory.operationsMax)
    json.member("semvmx", inventory.valueMax)
    json.append("},\"used\":{\"sets\":" as StaticString)
    json.append(decimal: inventory.usedSets)
    json.member("semaphores", inventory.usedSemaphores)
    json.append("},\"free\":{\"sets\":" as StaticString)
    json.append(decimal: max(0, inventory.setsMax - inventory.usedSets))
    json.member("semaphores", max(0, inventory.semaphoresMax - inventory.usedSemaphores))
    json.append(UInt8(ascii: "}"))
  }
}
