import Leasehold

/// `/locks`.
enum Locks {
  static func acquire(_ call: borrowing Call) throws(Problem) -> Disposition {
    let bindsConnection = try call.bindsConnection()
    let request = try call.acquireRequest(
      bindsConnection: bindsConnection, defaultTTL: call.server.limits.ttlDefault)
    let exchange = call.exchange
    // A native lock may be in the middle of something, and then a moment passes before it is known to be held.
    guard request.wait > .zero || request.native != nil else {
      return try answer(call.server.service.acquire(request, client: nil, at: call.now), call)
    }
    let waiting = WaitingAcquire(exchange, server: call.server, asText: call.asText, isHold: false)
    exchange.attachment = waiting
    let outcome = call.server.service.acquire(request, client: waiting, at: call.now)
    if case .waiting(let waiter) = outcome {
      waiting.begin(waiter)
      return .pending
    }
    exchange.attachment = nil
    return try answer(outcome, call)
  }

  private static func answer(_ outcome: AcquireOutcome, _ call: borrowing Call) throws(Problem) -> Disposition {
    switch outcome {
    case .granted(let lease):
      // A grant whose answer cannot be delivered is undone; a repeated answer is not a grant.
      if !lease.replayed { call.exchange.grant = lease.id }
      if lease.bindsConnection { call.exchange.connection.keepOpen(true) }
      return .respond(call.writer.granted(lease, asText: call.asText))
    case .refused(let error): throw Problem(error)
    case .waiting: throw Problem(.internalError, "A request without a client was told to wait; please report this.")
    }
  }

  static func hold(_ call: borrowing Call) throws(Problem) -> Disposition {
    guard call.exchange.version == .http11 else {
      throw Problem(.malformedRequest, "hold needs HTTP/1.1, because its answer has no length.")
    }
    _ = try call.bindsConnection()
    let request = try call.acquireRequest(bindsConnection: true, defaultTTL: .zero)
    let exchange = call.exchange
    let waiting = WaitingAcquire(exchange, server: call.server, asText: call.asText, isHold: true)
    exchange.attachment = waiting
    switch call.server.service.acquire(request, client: waiting, at: call.now) {
    case .granted(let lease):
      guard let response = waiting.holdResponse(lease) else {
        throw Problem(.released, "The lease ended before its answer began. Acquire again.")
      }
      return .respond(response)
    case .refused(let error): throw Problem(error)
    case .waiting(let waiter):
      waiting.begin(waiter)
      return .pending
    }
  }

  static func release(_ call: borrowing Call) throws(Problem) -> Disposition {
    let key = try call.key()
    let native = try call.nativeRequest(key)
    return try call.released(call.leaseArgument("release?lease=ID"), key: key, native: native)
  }

  static func renew(_ call: borrowing Call) throws(Problem) -> Disposition {
    let key = try call.key()
    let native = try call.nativeRequest(key)
    return try call.renewed(call.leaseArgument("renew?lease=ID&ttl=30s"), key: key, native: native)
  }

  static func list(_ call: borrowing Call) throws(Problem) -> Disposition {
    let page = call.server.service.locks(try call.listFilter())
    let writer = call.writer
    return call.json(capacity: 256 + page.entries.count * 256) { json in
      json.open("locks")
      json.append(UInt8(ascii: "["))
      for (index, lock) in page.entries.enumerated() {
        if index > 0 { json.append(UInt8(ascii: ",")) }
        writer.listed(lock, into: &json)
      }
      json.append(UInt8(ascii: "]"))
      json.member("next_cursor", page.nextCursor.map(String.init))
      json.closeAnswer()
    }
  }

  static func get(_ call: borrowing Call) throws(Problem) -> Disposition {
    let key = try call.key()
    let listed = try call.number(.limit, 1, LockSnapshot.listedMaximum) ?? LockSnapshot.listed
    let lock: LockSnapshot
    let native = try call.nativeRequest(key)
    do {
      lock = try call.server.service.lock(key, native, listed: listed)
    } catch {
      throw Problem(error)
    }
    let writer = call.writer
    return call.json(capacity: 1024) { writer.lock(lock, into: &$0) }
  }

  static func remove(_ call: borrowing Call) throws(Problem) -> Disposition {
    let key = try call.key()
    let force = try call.word(.force, ["true", "false"]) == "true"
    let native = try call.nativeRequest(key)
    do {
      try call.server.service.remove(key, native, force: force, at: call.now)
    } catch {
      throw Problem(error)
    }
    return call.json { json in
      json.append("{\"removed\":true" as StaticString)
      json.member("key", key.text)
      json.closeAnswer()
    }
  }
}

extension Call {
  /// Whether the lease ends with this connection.
  func bindsConnection() throws(Problem) -> Bool {
    guard let text = arguments[.bind] else { return false }
    if text == "connection" { return true }
    if text.hasPrefix("pid:") {
      var problem = Problem.invalid(
        .bind, text, "cannot be a process (pid:N) in this version; use bind=connection, or a ttl")
      problem.choices = ("allowed", ["connection"])
      throw problem
    }
    throw .notOneOf(.bind, text, ["connection"])
  }

  /// What acquire and hold ask for.
  func acquireRequest(bindsConnection: Bool, defaultTTL: TimeSpan) throws(Problem) -> AcquireRequest {
    let limits = server.limits
    let ttl = try timeToLive(isBound: bindsConnection) ?? min(defaultTTL, ttlMaximum)
    var request = AcquireRequest(key: try key(), ttl: ttl, caller: caller)
    request.bindsConnection = bindsConnection
    request.native = try nativeRequest(request.key, makes: true)
    if request.native?.isEndless == true {
      request.ttl = .zero
      for (name, isGiven) in [(Parameter.ttl, arguments[.ttl] != nil), (.bind, bindsConnection)] where isGiven {
        throw .invalid(name, arguments[name] ?? "", "cannot go together with undo=false, which never ends by itself")
      }
    }
    switch try word(.mode, ["exclusive", "shared", "write", "read"]) {
    case "shared", "read": request.mode = .shared
    default: request.mode = .exclusive
    }
    request.count = try number(.count, 1, Limits.slots) ?? 1
    if let native = request.native {
      request.limit = native.dialect == .php ? try number(.limit, 1, Limits.slots) : nil
      try check(request, native)
    } else {
      request.limit = try number(.limit, 1, Limits.slots)
      if request.mode == .shared, request.limit != nil {
        throw .invalid(.mode, "shared", "cannot go together with 'limit': slots of a counting lock are alike")
      }
    }
    if let wait = try span(.wait, .zero, limits.waitMaximum) {
      request.wait = wait
    } else if let wait = try preferredWait() {
      request.wait = wait
    }
    request.maxWaiters = try number(.maxWaiters, 0, 100_000)
    request.owner = try owner()
    request.cooldown = try span(.cooldown, .zero, limits.ttlMaximum) ?? .zero
    request.idempotencyKey = try idempotencyKey()
    return request
  }

  /// Gives a lease back and says so.
  func released(_ lease: LeaseID, key: LockKey?, native: NativeRequest? = nil) throws(Problem) -> Disposition {
    let outcome: ReleaseOutcome
    do {
      outcome = try server.service.release(lease, key: key, native: native, at: now)
    } catch {
      throw Problem(error)
    }
    return json(capacity: 192) { json in
      json.append(
        outcome.already ? "{\"released\":true,\"already\":true" : "{\"released\":true,\"already\":false" as StaticString
      )
      json.member("key", outcome.key.text.isEmpty ? nil : outcome.key.text)
      json.append(",\"ref\":\"" as StaticString)
      json.append(outcome.ref)
      json.append("\"}\n" as StaticString)
    }
  }

  /// Moves a lease's deadline and answers the lease.
  func renewed(_ lease: LeaseID, key: LockKey?, native: NativeRequest? = nil) throws(Problem) -> Disposition {
    let ttl = try timeToLive(isBound: true)
    let renewed: LeaseSnapshot
    do {
      renewed = try server.service.renew(lease, key: key, native: native, ttl: ttl, at: now)
    } catch {
      throw Problem(error)
    }
    let writer = writer
    return json(capacity: 704) { writer.lease(renewed, into: &$0) }
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
    }
    var response = Response(
      status: lease.replayed ? 200 : 201, contentType: asText ? "text/plain; charset=utf-8" : "application/json",
      body: body)
    if !lease.replayed { response.location = location(lease) }
    return response
  }

  /// The path of a lease.
  func location(_ lease: LeaseSnapshot) -> ResponseBuffer {
    var path = ResponseBuffer(capacity: 48)
    path.append("/leases/" as StaticString)
    path.append(lease.id)
    return path
  }
}
