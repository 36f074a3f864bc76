import Leasehold
import SysVTypes

/// `/semaphores`.
enum Semaphores {
  static func list(_ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    let filter = try call.listFilter()
    let inventory = try call.server.semaphores().semaphoreSets(from: filter.cursor, limit: filter.limit)
    return call.json(capacity: 512 + inventory.entries.count * 320) { writer, json in
      json.open("semaphores")
      json.append(each: inventory.entries) { set, json in
        writer.set(set, into: &json)
        json.append(UInt8(ascii: "}"))
      }
      writer.limits(inventory, into: &json)
      json.member("next_cursor", inventory.nextCursor.map(String.init))
    }
  }

  static func get(_ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    let address = try call.setInPath()
    let detail = try call.server.semaphores().semaphoreSet(address, for: call.caller)
    return call.json(capacity: 512 + detail.semaphores.count * 80) { $0.detail(detail, into: &$1) }
  }

  static func getOne(_ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    let address = try call.setInPath()
    let number = call.semaphoreNumber
    let found = try call.server.semaphores().semaphore(number, of: address, for: call.caller)
    return call.json { writer, json in
      writer.members(number, found.semaphore, into: &json)
      json.member("key", Int(found.info.key))
      json.member("id", Int(found.info.id))
      json.member("nsems", found.info.status.count)
    }
  }

  static func create(_ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    let key = try IPCObject.set.newKey(call.arguments[.key])
    let values = try call.semaphoreValues()
    guard let count = try call.number(.nsems, 0, Int(Int32.max)) ?? values?.count else {
      throw .missing(.nsems, "how many semaphores a new set gets, as in nsems=1")
    }
    if let values, values.count != count {
      throw .invalid(.values, "\(values.count) values", "must hold one value for each of the 'nsems' semaphores")
    }
    let request = SemaphoreSetRequest(
      key: key, semaphoreCount: count, mode: try call.permissionBits() ?? 0o600, values: values,
      isExclusive: try call.flag(.exclusive), caller: call.caller)
    let opened = try call.server.semaphores().makeSemaphoreSet(request)
    let differs = count != opened.info.status.count
    let given = [Parameter.nsems, .mode, .values].filter { call.arguments[$0] != nil }
    let writer = call.writer
    var response = Response.json(opened.isNew ? 201 : 200) { json in
      writer.set(opened.info, into: &json)
      json.member("created", opened.isNew)
      if !opened.isNew { json.list("ignored", given.filter { $0 != .nsems || differs }.map(\.name)) }
    }
    // The address has its id: a key may name another one tomorrow.
    if opened.isNew { response.add("Location", "/semaphores/id:\(opened.info.id)") }
    return call.respond(response)
  }

  static func change(_ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    let address = try call.setInPath()
    let (uid, gid, mode) = (try call.identity(.uid), try call.identity(.gid), try call.permissionBits())
    let info = try call.server.semaphores().changeSemaphoreSet(
      address, uid: uid, gid: gid, mode: mode, caller: call.caller)
    return call.json { $0.set(info, into: &$1) }
  }

  static func remove(_ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    let address = try call.setInPath()
    let force = try call.flag(.force)
    let info = try call.server.semaphores().removeSemaphoreSet(address, force: force, caller: call.caller, at: call.now)
    return call.json { json in
      json.open("removed", true)
      json.member("key", Int(info.key))
      json.member("id", Int(info.id))
    }
  }

  static func writeAll(_ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    guard let values = try call.semaphoreValues() else {
      throw .missing(.values, "one value for each semaphore, as in [3,0,5]")
    }
    return try write(.all(values), call)
  }

  static func writeOne(_ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    guard let text = call.arguments[.value] else { throw .missing(.value, "0...\(Limits.slots), as in value=1") }
    return try write(.one(call.semaphoreNumber, try LeaseholdError.value(of: "value", text)), call)
  }

  private static func write(
    _ values: SemaphoreValues, _ call: borrowing Call
  ) throws(LeaseholdError) -> Disposition {
    let (address, force) = (try call.setInPath(), try call.flag(.force))
    let written = try call.server.semaphores().writeSemaphores(
      address, values, force: force, caller: call.caller, at: call.now)
    return call.json { json in
      json.open("written", true)
      json.member("key", Int(written.info.key))
      json.member("id", Int(written.info.id))
      json.list("broken", written.broken)
    }
  }

  static func operate(_ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    let steps = try call.semaphoreSteps()
    let wait = try call.waitOrPreferred()
    var request = OperationRequest(address: try call.setInPath(), steps: steps, wait: wait, caller: call.caller)
    request.ttl = try call.times(isBound: false, default: call.server.limits.ttlDefault).ttl
    request.owner = try call.owner()
    request.idempotencyKey = request.makesLease ? try call.idempotencyKey() : nil
    for name in [Parameter.ttl, .owner] where !request.makesLease && call.arguments[name] != nil {
      throw .invalid(name, call.arguments[name] ?? "", "needs an operation with undo: without, there is no lease")
    }
    let semaphores = try call.server.semaphores()
    let waiting =
      wait > .zero
      ? WaitingAcquire(call.exchange, server: call.server, asText: call.asText, operatingOn: semaphores, nil) : nil
    do throws(LeaseholdError) {
      switch try semaphores.operate(request, client: waiting, at: call.now) {
      case .performed(let result):
        call.exchange.context.pending = nil
        return call.respond(result.response)
      case .granted(let lease): return try call.answer(.granted(lease), waiting)
      case .waiting(let waiter): return try call.answer(.waiting(waiter, behind: nil), waiting)
      }
    } catch {
      return try call.answer(.refused(error), waiting)
    }
  }
}

extension OperationResult {
  /// The answer: what was done, and where.
  var response: Response {
    .json(capacity: 128) { json in
      json.open("done", true)
      json.member("key", Int(key))
      json.member("id", Int(id))
      json.member("ops", count)
      json.member("waited_ms", Int(waited.milliseconds))
    }
  }
}
