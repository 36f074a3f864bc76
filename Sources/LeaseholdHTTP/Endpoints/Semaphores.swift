import Leasehold

/// `/semaphores`.
enum Semaphores {
  static func list(_ call: borrowing Call) throws(Problem) -> Disposition {
    let filter = try call.listFilter()
    let inventory: SemaphoreInventory
    do {
      inventory = try call.server.service.semaphoreSets(from: filter.cursor, limit: filter.limit)
    } catch {
      throw Problem(error)
    }
    let writer = call.writer
    return call.json(capacity: 512 + inventory.sets.count * 320) { json in
      json.open("semaphores")
      json.append(UInt8(ascii: "["))
      for (index, set) in inventory.sets.enumerated() {
        if index > 0 { json.append(UInt8(ascii: ",")) }
        writer.set(set, into: &json)
        json.append(UInt8(ascii: "}"))
      }
      json.append(UInt8(ascii: "]"))
      limits(inventory, into: &json)
      json.member("next_cursor", inventory.nextCursor.map(String.init))
      json.closeAnswer()
    }
  }

  private static func limits(_ inventory: SemaphoreInventory, into json: inout ResponseBuffer) {
    json.append(",\"limits\":{\"semmni\":" as StaticString)
    json.append(decimal: inventory.maximumSets)
    json.member("semmns", inventory.maximumSemaphores)
    json.member("semmsl", inventory.maximumPerSet)
    json.member("semopm", inventory.maximumOperations)
    json.member("semvmx", inventory.maximumValue)
    json.append("},\"used\":{\"sets\":" as StaticString)
    json.append(decimal: inventory.usedSets)
    json.member("semaphores", inventory.usedSemaphores)
    json.append("},\"free\":{\"sets\":" as StaticString)
    json.append(decimal: max(0, inventory.maximumSets - inventory.usedSets))
    json.member("semaphores", max(0, inventory.maximumSemaphores - inventory.usedSemaphores))
    json.append(UInt8(ascii: "}"))
  }

  static func get(_ call: borrowing Call) throws(Problem) -> Disposition {
    let address = try address(call.target.segment)
    let detail: SemaphoreSetDetail
    do {
      detail = try call.server.service.semaphoreSet(address)
    } catch {
      throw Problem(error)
    }
    let writer = call.writer
    return call.json(capacity: 512 + detail.semaphores.count * 80) { json in
      writer.set(detail.info, into: &json)
      json.append(",\"values\":[" as StaticString)
      for (number, semaphore) in detail.semaphores.enumerated() {
        if number > 0 { json.append(UInt8(ascii: ",")) }
        json.append(decimal: semaphore.value)
      }
      json.append("],\"semaphores\":[" as StaticString)
      for (number, semaphore) in detail.semaphores.enumerated() {
        if number > 0 { json.append(UInt8(ascii: ",")) }
        one(number, semaphore, into: &json)
      }
      json.append("]" as StaticString)
      json.closeAnswer()
    }
  }

  private static func one(_ number: Int, _ semaphore: SemaphoreInfo, into json: inout ResponseBuffer) {
    json.open("sem")
    json.append(decimal: number)
    json.member("value", semaphore.value)
    json.member("pid", semaphore.pid.map(Int.init))
    json.member("ncnt", semaphore.increaseWaiters)
    json.member("zcnt", semaphore.zeroWaiters)
    json.member("leases", semaphore.leases)
    json.append(UInt8(ascii: "}"))
  }

  /// `0x7c4a`, `31818`, `-559038737` or `id:98`.
  private static func address(_ segment: UnsafeBufferPointer<UInt8>) throws(Problem) -> SemaphoreSetAddress {
    let decoded = percentDecoded(segment, plusIsSpace: false)
    let text = decoded.map { String(decoding: $0, as: UTF8.self) } ?? ""
    if text.hasPrefix("id:"), let id = Int32(text.dropFirst(3)), id >= 0, text.dropFirst(3).first != "+" {
      return .id(id)
    }
    if let key = key(text) {
      guard key != 0 else {
        throw Problem(
          .outOfRange, "Key 0 is IPC_PRIVATE and names no set; use id:NUMBER, as GET /semaphores lists it.",
          facts: [("parameter", .text("set")), ("value", .text(text))])
      }
      return .key(key)
    }
    throw Problem(
      .badKey, "A set is named by its key (0x7c4a or 31818) or by id:NUMBER, as GET /semaphores lists it.",
      facts: [("parameter", .text("set")), ("value", .text(String(text.prefix(64))))])
  }

  /// A SysV key: hexadecimal of 32 bits, or decimal from -2^31 to 2^32-1.
  private static func key(_ text: String) -> Int32? {
    if text.hasPrefix("0x") || text.hasPrefix("0X") {
      let digits = text.dropFirst(2)
      guard digits.first?.isHexDigit == true else { return nil }
      return UInt32(digits, radix: 16).map(Int32.init(bitPattern:))
    }
    guard text.first != "+", let value = Int64(text), value >= Int64(Int32.min), value <= Int64(UInt32.max) else {
      return nil
    }
    return Int32(truncatingIfNeeded: value)
  }
}

extension AnswerWriter {
  /// A semaphore set, left open for more members.
  fileprivate func set(_ set: SemaphoreSetInfo, into json: inout ResponseBuffer) {
    json.open("key")
    json.append(decimal: Int(set.key))
    json.member("id", Int(set.id))
    json.member("uid", Int(set.uid))
    json.member("gid", Int(set.gid))
    json.member("cuid", Int(set.creatorUID))
    json.member("cgid", Int(set.creatorGID))
    json.member("mode", "0" + String(set.mode, radix: 8))
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
  }

  private func instant(_ name: StaticString, _ seconds: Int64, into json: inout ResponseBuffer) {
    json.next(name)
    if seconds > 0 { json.append(rfc3339: seconds * 1_000_000_000) } else { json.append("null" as StaticString) }
  }
}
