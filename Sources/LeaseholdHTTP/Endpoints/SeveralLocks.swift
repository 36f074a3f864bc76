import Leasehold

// What concerns several locks at once, or a lease that changes its form.

extension Leases {
  /// Takes several locks on one lease.
  static func acquire(_ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    let bond = try call.bond()
    var request = try call.wants(bond: bond)
    if case .process(let asked) = bond { request.process = try call.process(asked) }
    if call.arguments.has(anyOf: .ofStop) { try call.addStop(to: &request) }
    return try call.acquire(request)
  }
}

extension Leases {
  /// Adds locks to a lease that is held.
  static func add(_ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    try call.server.need(
      .addedLocks, "no leases that get more locks later", instead: "POST /leases, which takes several at once")
    let request = AddRequest(try call.leaseID(), try call.wantList(), caller: call.caller)
    let lease = try call.server.engine.locks.add(request, at: call.now)
    let writer = call.writer
    return call.json(capacity: 1024) { writer.lease(lease, into: &$0) }
  }
}

extension Locks {
  /// Turns a reader's lease into a writer's, or back.
  static func convert(_ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    let key = try call.key()
    let example: StaticString = "convert?lease=ID&mode=shared"
    let lease = try call.leaseArgument(example)
    let mode: LockMode
    switch try call.word(.mode, ["exclusive", "shared", "write", "read"]) {
    case "shared", "read": mode = .shared
    case .some: mode = .exclusive
    case nil: throw .missing(.mode, "shared or exclusive, as in \(example)")
    }
    var request = ConvertRequest(lease: lease, on: LockName(key), mode: mode, caller: call.caller)
    request.lock.native = try call.nativeRequest(key)
    request.wait = try call.waitOrPreferred()
    request.holding = try call.holding()
    return try call.convert(request)
  }
}

extension Call {
  /// The parameter `want`: the locks.
  func wantList() throws(LeaseholdError) -> [Want] {
    guard let text = arguments[.want] else {
      throw .missing(.want, "the locks, as in \(Parameter.want.listExample)")
    }
    let isList = text.utf8.first == UInt8(ascii: "\n")
    // Of bytes: a comma with an accent behind it parts two names, too.
    let parts = text.utf8.dropFirst(isList ? 1 : 0).split(
      separator: UInt8(ascii: isList ? "\n" : ","), omittingEmptySubsequences: false
    ).map { Substring($0) }
    guard !text.isEmpty, parts.count <= Limits.wants else {
      throw .outOfRange(.want, "\(text.isEmpty ? 0 : parts.count)", 1, Limits.wants)
    }
    var wants: [Want] = []
    for (index, part) in parts.enumerated() {
      do throws(LeaseholdError) {
        let want = isList ? try want(String(part)) : try plainWant(part)
        try exchange.context.token?.check(name: want.lock.key.text)
        wants.append(want)
      } catch {
        throw error.inWant(index)
      }
    }
    return wants
  }

  /// The parameter `want` and what the lease on all locks is to be.
  func wants(bond: RequestedBinding?) throws(LeaseholdError) -> AcquireRequest {
    let wants = try wantList()
    let (ttl, cooldown) = try times(isBound: bond != nil, default: server.limits.ttlDefault)
    return try acquireRequest(wants[0], others: Array(wants[1...]), bond, ttl: ttl, cooldown: cooldown)
  }

  private func plainWant(_ name: Substring) throws(LeaseholdError) -> Want {
    let key: LockKey
    do {
      key = try LockKey(utf8: name.utf8)
    } catch {
      throw LeaseholdError(flaw: error, of: String(name))
    }
    guard key.native == nil else {
      throw .invalid(.want, String(name), "names native locks only in JSON, as in \(Parameter.want.listExample)")
    }
    return Want(LockName(key))
  }

  private func want(_ form: String) throws(LeaseholdError) -> Want {
    let bytes = Array(form.utf8)
    let result: Result<Want, LeaseholdError> = bytes.withUnsafeBufferPointer { bytes in
      do throws(LeaseholdError) {
        var arguments = Arguments()
        try arguments.readForm(bytes, known: .want)
        let call = Call(exchange: exchange, server: server, arguments: arguments, asText: asText)
        guard let key = try call.keyArgument() else { throw LeaseholdError.missing(.key, "the lock's name") }
        var want = Want(LockName(key))
        want.lock.native = try call.nativeRequest(key, makes: true)
        try call.describe(&want)
        return .success(want)
      } catch {
        return .failure(error)
      }
    }
    return try result.get()
  }
}

extension AnswerWriter {
  /// The locks of a lease of several, and whether the kernel took them in one step.
  func parts(_ lease: LeaseSnapshot, into json: inout ResponseBuffer) {
    func isLater(_ part: LeasePart) -> Bool { part.fence > lease.fence }
    json.next("locks")
    json.append(each: lease.parts) { part, json in
      json.open("key")
      json.append(json: part.key.text)
      json.member("kind", part.kind.name)
      json.member("mode", part.mode.name)
      json.member("count", part.count)
      json.member("limit", part.kind.limit)
      if isLater(part) { json.member("fence", Int(part.fence)) }
      if let applied = part.limitApplied { json.member("limit_applied", applied) }
      if !part.slots.isEmpty { slots(part.slots, into: &json) }
      let hasBinding = binding(part.binding, into: &json)
      if hasBinding { json.member("units", part.units) }
      json.append(hasBinding ? "}}" : "}" as StaticString)
    }
    json.member("atomic", Set(lease.parts.map(\.binding?.id)).count == 1 && !lease.parts.contains(where: isLater))
  }

  /// Writes the circle of waiters.
  func circle(_ circle: [DeadlockStep], into json: inout ResponseBuffer) {
    json.next("circle")
    json.append(each: circle) { step, json in
      json.open("waits_for")
      if let key = step.waitsFor { json.append(json: key.text) } else { json.append("null" as StaticString) }
      json.member("mode", step.mode.name)
      json.member("owner", step.owner)
      json.member("holds", step.holds?.text)
      json.member("ref", step.ref)
      json.member("you", step.isAsking)
      json.append(UInt8(ascii: "}"))
    }
  }
}
