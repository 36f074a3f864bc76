import Leasehold
import Logging

/// `/leases`.
enum Leases {
  static func list(_ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    let filter = try call.listFilter()
    let page = try call.server.engine.locks.leases(filter)
    let writer = call.writer
    return call.json(capacity: 256 + page.entries.count * 384) { json in
      json.open("leases")
      json.append(each: page.entries) { writer.listed($0, withKey: true, into: &$1) }
      json.member("next_cursor", page.nextCursor.map(String.init))
    }
  }

  static func releaseAll(_ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    guard let owner = try call.owner() else {
      throw .missing(.owner, "whose leases to release, for example /leases?owner=NAME")
    }
    let key = try call.keyArgument()
    let refs = try call.server.engine.locks.releaseAll(
      owner: owner, key: key, of: call.isAdministrator ? nil : call.caller, within: call.confinement, at: call.now)
    return call.json(capacity: 128 + refs.count * 13) { json in
      json.open("released")
      json.append(decimal: refs.count)
      json.list("leases", refs)
    }
  }

  static func get(_ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    let id = try call.leaseID()
    let lease = try call.server.engine.locks.lease(id, within: call.confinement, at: call.now)
    let writer = call.writer
    return call.json(capacity: 704) { writer.lease(lease, into: &$0) }
  }

  static func release(_ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    try call.released(call.leaseID())
  }

  /// An operator ends somebody's lease.
  static func breakLease(_ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    guard let name = LeaseName(hexadecimal: call.target.segment) else {
      throw .notALeaseName(call.target.segment)
    }
    var request = BreakRequest(name, caller: call.caller)
    request.after = try call.span(.after, .zero, call.server.limits.ttlMaximum) ?? .zero
    request.reason = try call.breakReason()
    let outcome = try call.server.engine.locks.breakLease(request, at: call.now)
    let left = max(0, (outcome.end - call.now).milliseconds)
    var metadata: Logger.Metadata = [
      "ref": "\(outcome.ref)", "lock": "\(outcome.key)", "owner": "\(outcome.owner ?? "")",
      "reason": "\(outcome.reason ?? "")", "in_ms": .stringConvertible(left), "by": "\(call.caller.inWords)",
    ]
    call.exchange.trace.describe(&metadata)
    call.server.log.notice("an operator ends a lease", metadata: metadata)
    return call.json { json in
      json.open("broken")
      json.append(left == 0 ? "true" : "false" as StaticString)
      json.member("key", outcome.key.text)
      json.member("ref", outcome.ref)
      json.member("owner", outcome.owner)
      json.member("breaking_in_ms", Int(left))
      json.member("break_reason", outcome.reason)
      json.member("broken_by", outcome.by)
    }
  }

  /// Hands a lease over under another id.
  static func transfer(_ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    var request = TransferRequest(try call.leaseID(), caller: call.caller)
    let bond = try call.bond()
    request.owner = try call.owner()
    request.ttl = try call.timeToLive(isBound: bond != nil)
    switch bond {
    case nil: break
    case .connection?: request.bindsConnection = true
    case .process(let asked)?: request.process = try call.process(asked)
    }
    let lease = try call.server.engine.locks.transfer(request, at: call.now)
    // Nobody would know the new id if its answer were lost.
    call.exchange.context.grant = lease.grant
    if lease.bindsConnection { call.exchange.connection.keepOpen(true) }
    return .respond(call.writer.granted(lease, asText: false))
  }

  static func renew(_ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    try call.renewed(call.leaseID())
  }
}
