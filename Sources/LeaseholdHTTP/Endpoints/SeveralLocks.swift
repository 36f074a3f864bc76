import Leasehold

// What concerns several locks at once, or a lease that changes its form.

extension Leases {
  /// Takes several locks on one lease.
  static func acquire(_ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    let bond = try call.bond()
    var wants = try call.wants(bond: bond)
    if case .process(let asked) = bond { wants[0].process = try call.process(asked) }
    let asked = wants
    return try call.waiting(
      for: wants[0], whenNative: wants.contains { $0.native != nil }, wait: wants[0].wait
    ) { client, now in
      call.server.service.acquire(several: asked, client: client, at: now)
    }
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
    var request = ConvertRequest(lease: lease, key: key, mode: mode, caller: call.caller)
    request.native = try call.nativeRequest(key)
    request.wait = try call.waitOrPreferred()
    request.holding = try call.holding()
    let asked = request
    var wanted = AcquireRequest(key: key, ttl: .zero, caller: request.caller)
    wanted.native = request.native
    return try call.waiting(for: wanted, whenNative: false, wait: request.wait) { client, now in
      call.server.service.convert(asked, client: client, at: now)
    }
  }
}

extension Call {
  /// Asks for something that may wait, and answers it now or later.
  ///
  /// - Parameters:
  ///   - request: What is waited for, for the log.
  ///   - whenNative: Whether it may wait although it did not ask to; `nil` where the request's lock tells.
  func waiting(
    for request: AcquireRequest, whenNative: Bool? = nil, wait: TimeSpan,
    _ ask: ((any LeaseClient)?, MonotonicInstant) -> AcquireOutcome
  ) throws(LeaseholdError) -> Disposition {
    guard wait > .zero || whenNative ?? (request.native != nil) else { return try Locks.answer(ask(nil, now), self) }
    let waiting = WaitingAcquire(exchange, server: server, asText: asText, isHold: false, request)
    exchange.attachment = waiting
    let outcome = ask(waiting, now)
    if case .waiting(let waiter) = outcome {
      waiting.begin(waiter)
      waiting.lookForHolder(request)
      return .pending
    }
    exchange.attachment = nil
    return try Locks.answer(outcome, self)
  }

  /// The parameter `want`: one request for each lock, of which the first carries what the lease is to be.
  func wants(bond: LeaseBond?) throws(LeaseholdError) -> [AcquireRequest] {
    guard let text = arguments[.want] else {
      throw .missing(.want, "the locks, as in \(Parameter.want.listExample)")
    }
    let isList = text.hasPrefix("\n")
    let parts = (isList ? text.dropFirst() : text[...]).split(
      separator: isList ? "\n" : ",", omittingEmptySubsequences: false)
    guard !text.isEmpty, parts.count <= Limits.wants else {
      throw .outOfRange(.want, "\(text.isEmpty ? 0 : parts.count)", 1, Limits.wants)
    }
    let (ttl, cooldown) = try times(isBound: bond != nil, default: server.limits.ttlDefault)
    var wants: [AcquireRequest] = []
    for (index, part) in parts.enumerated() {
      do throws(LeaseholdError) {
        let request = isList ? try want(String(part), ttl: ttl) : try plainWant(part, ttl: ttl)
        try exchange.token?.check(name: request.key.text)
        wants.append(request)
      } catch {
        throw error.inWant(index)
      }
    }
    if case .connection? = bond { wants[0].bindsConnection = true }
    try queueing(&wants[0])
    wants[0].owner = try owner()
    wants[0].cooldown = cooldown
    wants[0].idempotencyKey = try idempotencyKey()
    return wants
  }

  private func plainWant(_ name: Substring, ttl: TimeSpan) throws(LeaseholdError) -> AcquireRequest {
    let key: LockKey
    do {
      key = try LockKey(utf8: name.utf8)
    } catch {
      throw LeaseholdError(flaw: error, of: String(name))
    }
    guard key.native == nil else {
      throw .invalid(.want, String(name), "names native locks only in JSON, as in \(Parameter.want.listExample)")
    }
    return AcquireRequest(key: key, ttl: ttl, caller: caller)
  }

  private func want(_ form: String, ttl: TimeSpan) throws(LeaseholdError) -> AcquireRequest {
    let bytes = Array(form.utf8)
    let result: Result<AcquireRequest, LeaseholdError> = bytes.withUnsafeBufferPointer { bytes in
      do throws(LeaseholdError) {
        var arguments = Arguments()
        try arguments.readForm(bytes, known: .want)
        let call = Call(
          exchange: exchange, server: server, target: target, arguments: arguments, asText: asText, writer: writer)
        guard let key = try call.keyArgument() else { throw LeaseholdError.missing(.key, "the lock's name") }
        var request = AcquireRequest(key: key, ttl: ttl, caller: caller)
        request.native = try call.nativeRequest(key, makes: true)
        try call.describe(&request)
        return .success(request)
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
    json.next("locks")
    json.append(UInt8(ascii: "["))
    for (index, part) in lease.parts.enumerated() {
      if index > 0 { json.append(UInt8(ascii: ",")) }
      json.open("key")
      json.append(json: part.key.text)
      json.member("kind", part.kind.name)
      json.member("mode", part.mode.name)
      json.member("count", part.count)
      json.member("limit", part.kind.limit)
      if let applied = part.limitApplied { json.member("limit_applied", applied) }
      binding(part.binding, into: &json)
      json.member("units", part.units)
      json.append("}}" as StaticString)
    }
    json.append(UInt8(ascii: "]"))
    json.member("atomic", Set(lease.parts.map(\.binding.id)).count == 1)
  }

  /// Who waits for whom.
  func circle(_ circle: [DeadlockStep], into json: inout ResponseBuffer) {
    json.next("circle")
    json.append(UInt8(ascii: "["))
    for (index, step) in circle.enumerated() {
      if index > 0 { json.append(UInt8(ascii: ",")) }
      json.open("waits_for")
      if let key = step.waitsFor { json.append(json: key.text) } else { json.append("null" as StaticString) }
      json.member("mode", step.mode.name)
      json.member("owner", step.owner)
      json.member("holds", step.holds?.text)
      json.member("ref", step.ref)
      json.member("you", step.isAsking)
      json.append(UInt8(ascii: "}"))
    }
    json.append(UInt8(ascii: "]"))
  }
}
