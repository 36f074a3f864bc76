import Leasehold

/// `/locks`.
enum Locks {
  static func acquire(_ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    let bond = try call.bond()
    var request = try call.acquireRequest(bond: bond, defaultTTL: call.server.limits.ttlDefault)
    try call.bind(&request, to: bond)
    return try call.acquire(request)
  }

  static func hold(_ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    try call.checkVersion("hold")
    try call.checkHold()
    return try call.acquire(call.acquireRequest(bond: .connection, defaultTTL: .zero), isHold: true)
  }

  static func release(_ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    let lock = try call.lockName()
    return try call.released(call.leaseArgument("release?lease=ID"), on: lock)
  }

  static func renew(_ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    let lock = try call.lockName()
    return try call.renewed(call.leaseArgument("renew?lease=ID&ttl=30s"), on: lock)
  }

  static func list(_ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    let filter = try call.listFilter()
    let page = try call.server.engine.locks.locks(filter)
    let (writer, token) = (call.writer, call.exchange.context.token)
    return call.json(capacity: 256 + page.entries.count * 256) { json in
      json.open("locks")
      json.append(each: page.entries) { writer.listed($0.seen(by: token), into: &$1) }
      json.member("next_cursor", page.nextCursor.map(String.init))
    }
  }

  static func get(_ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    let key = try call.key()
    let listed = try call.number(.limit, 1, LockSnapshot.listedMax) ?? LockSnapshot.listed
    let wait = try call.span(.wait, .zero, call.server.limits.waitMax) ?? .zero
    let name = LockName(key, try call.nativeRequest(key))
    let tags = try call.tags(.ifNoneMatch, "If-None-Match", isWeak: true)
    if let tags, wait > .zero {
      let place = try call.caller.account?.claim(.waiters)
      return try LongPoll(call.exchange, server: call.server, name, listed: listed, tags: tags, place: place)
        .begin(until: call.now + wait)
    }
    let lock = try call.server.engine.locks.lock(name, listed: listed)
    let isKnown = tags.map { $0 == ["*"] || $0.contains(lock.tag.text) } ?? false
    return call.respond(call.writer.state(lock.seen(by: call.exchange.context.token), isKnown: isKnown))
  }

  static func remove(_ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    let key = try call.key()
    let force = try call.flag(.force)
    let lock = LockName(key, try call.nativeRequest(key))
    try call.server.engine.locks.remove(lock, force: force, within: call.confinement, at: call.now)
    return call.json { json in
      json.open("removed", true)
      json.member("key", key.text)
    }
  }
}

extension ParameterSet {
  /// The parameters of the way a process is stopped.
  static let ofStop = ParameterSet(.stop) | .grace
  /// The parameters that few plain locks are asked for with.
  fileprivate static let rareOfAcquire = ParameterSet(.mode) | .count | .limit | .maxWaiters | .slots | .slot
}

extension Call {
  /// The request of acquire and hold; the process is still to be found.
  func acquireRequest(bond: RequestedBinding?, defaultTTL: TimeSpan) throws(LeaseholdError) -> AcquireRequest {
    let (ttl, cooldown) = try times(isBound: bond != nil, default: defaultTTL)
    let key = try key()
    let native = try nativeRequest(key, makes: true)
    let isEndless = native?.isEndless ?? false
    if isEndless {
      for (name, isGiven) in [(Parameter.ttl, arguments[.ttl] != nil), (.bind, bond != nil)] where isGiven {
        throw .invalid(name, arguments[name] ?? "", "cannot go together with undo=false, which never ends by itself")
      }
    }
    var want = Want(LockName(key, native))
    var maxWaiters: Int?
    if native != nil || arguments.has(anyOf: .rareOfAcquire) {
      try describe(&want)
      maxWaiters = try number(.maxWaiters, 0, 100_000)
    }
    return try acquireRequest(
      consume want, bond, ttl: isEndless ? .zero : ttl, cooldown: cooldown, maxWaiters: maxWaiters)
  }

  /// The request for what is wanted, with what each acquire may say of its lease and its wait.
  func acquireRequest(
    _ want: consuming Want, others: [Want] = [], _ bond: RequestedBinding?, ttl: TimeSpan, cooldown: TimeSpan,
    maxWaiters: Int? = nil
  ) throws(LeaseholdError) -> AcquireRequest {
    let isBound = if case .connection? = bond { true } else { false }
    let wait = try waitOrPreferred()
    let holding = try holding()
    return AcquireRequest(
      want, others: others, ttl: ttl, wait: wait, maxWaiters: maxWaiters, owner: try owner(),
      remarks: try remarks(), bindsConnection: isBound, cooldown: cooldown, holdAtLeast: try holdAtLeast(),
      holding: holding, idempotencyKey: try idempotencyKey(), caller: caller)
  }

  /// The captured segment as a lock's name, with where a native one leads.
  func lockName() throws(LeaseholdError) -> LockName {
    let key = try key()
    return LockName(key, try nativeRequest(key))
  }

  /// The lock of a name; `nil` where no request has made it, or it was removed.
  func knownLock(_ name: LockName, listed: Int) throws(LeaseholdError) -> LockSnapshot? {
    do {
      return try server.engine.locks.lock(name, listed: listed)
    } catch {
      guard error.code == .noSuchLock else { throw error }
      return nil
    }
  }

  /// Reads how a lock is wanted: what `want` says of each of several.
  func describe(_ want: inout Want) throws(LeaseholdError) {
    switch try word(.mode, ["exclusive", "shared", "write", "read"]) {
    case "shared", "read": want.mode = .shared
    default: want.mode = .exclusive
    }
    want.count = try number(.count, 1, Limits.slots) ?? 1
    if let native = want.lock.native {
      want.limit = native.dialect == .php ? try number(.limit, 1, Limits.slots) : nil
      try check(want, native)
    } else {
      want.limit = try number(.limit, 1, Limits.slots)
      if want.mode == .shared, want.limit != nil {
        throw .invalid(.mode, "shared", "cannot go together with 'limit': slots of a counting lock are alike")
      }
    }
    if arguments.has(anyOf: [.slots, .slot]) { try name(&want) }
  }

  /// Reads the names of slots: of all, and of those that are wanted.
  func name(_ want: inout Want) throws(LeaseholdError) {
    _ = try server.native("no names for slots", instead: "limit=N for slots that are alike")
    let (all, wanted) = (try slotNames(.slots), try slotNames(.slot) ?? [])
    for parameter in [Parameter.slots, .slot] {
      guard let text = arguments[parameter] else { continue }
      if want.lock.native != nil { throw .invalid(parameter, text, "goes with plain names alone") }
      if want.mode == .shared { throw .invalid(.mode, "shared", "cannot go together with '\(parameter.name)'") }
    }
    if let all {
      if let limit = want.limit, limit != all.count {
        throw .invalid(.limit, "\(limit)", "is \(limit), and 'slots' has \(all.count) names; leave it out")
      }
      want.limit = all.count
      if let strange = wanted.first(where: { !all.contains($0) }) {
        throw .invalid(.slot, strange, "must be among 'slots'").adding([("allowed", .texts(all))])
      }
    }
    if arguments[.count] == nil { want.count = max(1, wanted.count) }
    if want.count < wanted.count {
      throw .invalid(.count, "\(want.count)", "is less than the \(wanted.count) names of 'slot'; leave it out")
    }
    want.slots = SlotNames(all: all ?? [], wanted: wanted)
  }

  /// A list of names of slots, each once; `nil` when it was not given.
  func slotNames(_ parameter: Parameter) throws(LeaseholdError) -> [String]? {
    guard let text = arguments[parameter] else { return nil }
    let names = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    guard names.count <= SlotNames.namesMax, text.utf8.count <= SlotNames.listBytes else {
      throw .invalid(
        parameter, text,
        "must be 1...\(SlotNames.namesMax) names, \(SlotNames.listBytes) bytes at most with the commas")
    }
    for name in names where !SlotNames.isValid(name) {
      throw .invalid(
        parameter, name,
        "must be names with commas between, each 1...\(SlotNames.bytes) letters, digits, '.', '_', '-' or ':'")
    }
    guard Set(names).count == names.count else { throw .invalid(parameter, text, "must have each name once") }
    return names
  }

  /// `wait`, or what Prefer says; else the time that a request waits which does not say.
  func waitOrPreferred(_ unasked: TimeSpan = .zero) throws(LeaseholdError) -> TimeSpan {
    if let wait = try span(.wait, .zero, server.limits.waitMax) { return wait }
    return try preferredWait() ?? min(unasked, server.limits.waitMax)
  }

  /// Leases that the caller keeps while it waits.
  @inline(__always)
  func holding() throws(LeaseholdError) -> [LeaseID] {
    arguments.has(.holding) ? try leaseList(.holding, max: Limits.wants) ?? [] : []
  }

  /// A parameter's leases, by their ids; `nil` when not given.
  func leaseList(_ parameter: Parameter, max leasesMax: Int) throws(LeaseholdError) -> [LeaseID]? {
    guard let text = arguments[parameter] else { return nil }
    if text.isEmpty { return [] }
    let parts = text.split(separator: ",", omittingEmptySubsequences: false)
    guard parts.count <= leasesMax else { throw .outOfRange(parameter, "\(parts.count)", 1, leasesMax) }
    return try parts.map { part throws(LeaseholdError) in
      guard let id = LeaseID(hexadecimal: part.utf8) else { throw .notALeaseID(parameter.name, part.utf8) }
      return id
    }
  }

  /// Gives a lease back and says so.
  func released(_ lease: LeaseID, on lock: LockName? = nil) throws(LeaseholdError) -> Disposition {
    let isEarly = try flag(.early)
    let outcome = try server.engine.locks.release(
      lease, on: lock, early: isEarly, within: confinement, at: now)
    let wallOffset = writer.wallOffset
    return json(capacity: 192) { json in
      json.append(
        outcome.already ? "{\"released\":true,\"already\":true" : "{\"released\":true,\"already\":false" as StaticString
      )
      json.member("key", outcome.key?.text)
      json.append(",\"ref\":\"" as StaticString)
      json.append(hex: outcome.id.high >> 24, digits: 10)
      json.append(UInt8(ascii: "\""))
      if let end = outcome.keptUntil {
        json.next("kept_until")
        json.append(rfc3339: end.nanoseconds &+ wallOffset)
      }
    }
  }

  /// Moves a lease's deadline and answers the lease.
  func renewed(_ lease: LeaseID, on lock: LockName? = nil) throws(LeaseholdError) -> Disposition {
    let (ttl, note) = (try timeToLive(isBound: true), try note())
    var renewed = try server.engine.locks.renew(lease, on: lock, ttl: ttl, within: confinement, at: now)
    if let note { renewed = try server.engine.locks.note(lease, note, within: confinement, at: now) }
    let (writer, answer) = (writer, renewed)
    return json(capacity: 704) { writer.lease(answer, into: &$0) }
  }
}

extension AnswerWriter {
  /// The answer to an acquire: 201, or 200 when it repeats an earlier answer.
  func granted(_ lease: LeaseSnapshot, asText: Bool) -> Response {
    var body = ResponseBuffer(capacity: asText ? 64 : 704)
    if asText {
      body.append(lease.id)
      body.append(UInt8(ascii: "\n"))
    } else {
      self.lease(lease, into: &body)
      body.closeAnswer()
    }
    var response = Response(
      status: lease.replayed || lease.isConverted ? 200 : 201,
      contentType: asText ? "text/plain; charset=utf-8" : "application/json",
      body: body)
    if !lease.replayed, !lease.isConverted { response.location = lease.id }
    return response
  }
}

extension ResponseBuffer {
  /// The path of a lease.
  mutating func append(pathOf lease: LeaseID) {
    append("/leases/" as StaticString)
    append(lease)
  }
}
