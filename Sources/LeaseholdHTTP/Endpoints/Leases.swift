import Leasehold

/// `/leases`.
enum Leases {
  static func list(_ call: borrowing Call) throws(Problem) -> Disposition {
    let page = call.server.service.leases(try call.listFilter())
    let writer = call.writer
    return call.json(capacity: 256 + page.entries.count * 384) { json in
      json.open("leases")
      json.append(UInt8(ascii: "["))
      for (index, lease) in page.entries.enumerated() {
        if index > 0 { json.append(UInt8(ascii: ",")) }
        writer.listed(lease, withKey: true, into: &json)
      }
      json.append(UInt8(ascii: "]"))
      json.member("next_cursor", page.nextCursor.map(String.init))
      json.closeAnswer()
    }
  }

  static func releaseAll(_ call: borrowing Call) throws(Problem) -> Disposition {
    guard let owner = try call.owner() else {
      throw .missing(.owner, "whose leases to release, for example /leases?owner=NAME")
    }
    let refs = call.server.service.releaseAll(
      owner: owner, key: try call.keyArgument(), of: call.isAdministrator ? nil : call.caller, at: call.now)
    let writer = call.writer
    return call.json(capacity: 128 + refs.count * 13) { json in
      json.open("released")
      json.append(decimal: refs.count)
      writer.list("leases", refs, into: &json)
      json.closeAnswer()
    }
  }

  static func get(_ call: borrowing Call) throws(Problem) -> Disposition {
    let id = try call.leaseID()
    let lease: LeaseSnapshot
    do {
      lease = try call.server.service.lease(id, at: call.now)
    } catch {
      throw Problem(error)
    }
    let writer = call.writer
    return call.json(capacity: 704) { writer.lease(lease, into: &$0) }
  }

  static func release(_ call: borrowing Call) throws(Problem) -> Disposition {
    try call.released(call.leaseID(), key: nil)
  }

  static func renew(_ call: borrowing Call) throws(Problem) -> Disposition {
    try call.renewed(call.leaseID(), key: nil)
  }
}
