import Leasehold
import Logging

/// `/leases`.
enum Leases {
  static func list(_ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    let filter = try call.listFilter()
    let page = try call.server.engine.locks.leases(filter)
    return call.json(capacity: 256 + page.entries.count * 384) { writer, json in
      json.open("leases")
      json.append(each: page.entries) { writer.listed($0, into: &$1) }
      json.member("next_cursor", page.nextCursor.map(String.init))
    }
  }

  static func releaseAll(_ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    let canceled = try call.idempotencyKey()
    if call.arguments[.owner] == nil, let canceled { return try cancel(call, canceled) }
    guard let owner = try call.owner() else {
      throw .missing(.owner, "whose leases to release, for example /leases?owner=NAME")
    }
    let key = try call.keyArgument()
    let refs = try call.server.engine.locks.releaseAll(
      owner: owner, key: key, of: call.isAdministrator ? nil : call.caller, within: call.confinement, at: call.now)
    return call.json(capacity: 128 + refs.count * 13) { json in
      json.open("released", refs.count)
      json.list("leases", refs)
    }
  }

  /// Takes back what an Idempotency-Key got or waits for.
  private static func cancel(_ call: borrowing Call, _ key: String) throws(LeaseholdError) -> Disposition {
    if let lock = call.arguments[.key] {
      throw .invalid(.key, lock, "cannot go together with Idempotency-Key, which is taken back on all locks")
    }
    let outcome = try call.server.engine.locks.cancel(key: key, of: call.caller, at: call.now)
    return call.json { json in
      json.open("released", outcome.leases.count)
      json.list("leases", outcome.leases)
      json.member("left", outcome.waiters)
    }
  }

  static func get(_ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    let id = try call.leaseID()
    let lease = try call.server.engine.locks.lease(id, within: call.confinement, at: call.now)
    return call.json(capacity: 704) { $0.lease(lease, into: &$1) }
  }

  /// Binds a lease to the connection, with an answer that stays open.
  static func hold(_ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    try call.checkVersion("hold")
    try call.checkHold()
    var request = AttachRequest(try call.leaseID(), caller: call.caller)
    if call.arguments[.ttl] != nil || call.confinement?.longest != nil {
      request.ttl = try call.times(isBound: true, default: .zero).ttl
    }
    return try call.attach(request)
  }

  static func release(_ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    try call.released(call.leaseID())
  }

  /// Ends a holder's lease, for an operator.
  static func breakLease(_ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    guard let name = LeaseName(hexadecimal: call.target.segment) else {
      throw .notALeaseName(call.target.segment)
    }
    var request = BreakRequest(name, caller: call.caller)
    request.after = try call.span(.after, .zero, call.server.limits.ttlMax) ?? .zero
    request.reason = try call.breakReason()
    let outcome = try call.broken(request)
    let left = max(0, (outcome.end - call.writer.now).milliseconds)
    return call.json { json in
      json.open("broken", left == 0)
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
    // No caller would know the new id if its answer were lost.
    call.exchange.context.grant = lease.grant
    if lease.bindsConnection { call.exchange.connection.keepOpen(true) }
    return call.respond(call.writer.granted(lease, asText: false))
  }

  /// Renews many; one that cannot be renewed is named, and stops none of the others.
  static func renewAll(_ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    guard let leases = try call.leaseList(.leases, max: Limits.renewals) else {
      throw .missing(.leases, "the ids that acquire answered, as in {\"leases\":[\"ID\",\"ID\"]}")
    }
    guard !leases.isEmpty else { throw .outOfRange(.leases, "0", 1, Limits.renewals) }
    let ttl = try call.timeToLive(isBound: true)
    var renewed: [LeaseSnapshot] = []
    var lost: [(lease: LeaseID, error: LeaseholdError)] = []
    let results = call.server.engine.locks.renew(leases, ttl: ttl, within: call.confinement, at: call.now)
    for (lease, result) in zip(leases, results) {
      switch result {
      case .success(let snapshot): renewed.append(snapshot)
      case .failure(let error):
        guard error.isAboutLease else { throw error.adding([("ref", .text(lease.ref))]) }
        lost.append((lease, error))
      }
    }
    return call.json(capacity: 64 + renewed.count * 256 + lost.count * 384) { writer, json in
      json.open("renewed")
      json.append(each: renewed) { writer.renewed($0, into: &$1) }
      json.member("lost", each: lost) { writer.lost($0.lease, $0.error, into: &$1) }
    }
  }

  /// A holder says something of itself.
  static func note(_ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    let id = try call.leaseID()
    guard let text = try call.note() else {
      throw .missing(.note, "the text to show, at most \(Limits.noteBytes) bytes; an empty one clears it")
    }
    let lease = try call.server.engine.locks.note(id, text, within: call.confinement, at: call.now)
    return call.json(capacity: 704) { $0.lease(lease, into: &$1) }
  }

  static func renew(_ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    try call.renewed(call.leaseID())
  }
}

extension Call {
  /// Ends a holder's lease, and names the operator in the log.
  func broken(_ request: BreakRequest) throws(LeaseholdError) -> BreakOutcome {
    let outcome = try server.engine.locks.breakLease(request, at: now)
    var metadata: Logger.Metadata = [
      "ref": "\(outcome.ref)", "lock": "\(outcome.key)", "owner": "\(outcome.owner ?? "")",
      "reason": "\(outcome.reason ?? "")", "in_ms": .stringConvertible(max(0, (outcome.end - now).milliseconds)),
      "by": "\(caller.inWords)",
    ]
    exchange.trace.describe(&metadata)
    server.log.notice("an operator ends a lease", metadata: metadata)
    return outcome
  }
}

extension LeaseholdError {
  /// True when it tells of the lease alone, and so says nothing of others: it is over, being ended, or unknown.
  fileprivate var isAboutLease: Bool { code == .noSuchLease || ProblemTable.row(code).status == 410 }
}
