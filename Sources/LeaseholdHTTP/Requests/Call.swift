import Leasehold

/// One request on its way through an endpoint: what it asks, and how to answer.
struct Call: ~Copyable {
  let exchange: Exchange
  let server: Server
  let arguments: Arguments
  let asText: Bool

  /// CLOCK_MONOTONIC at the entrance of the request.
  var now: MonotonicInstant { exchange.now }

  var writer: AnswerWriter { server.writer(at: now) }

  /// The path and query: there, as a call is made for the endpoint that they lead to.
  var target: Target {
    guard let target = exchange.context.target else { preconditionFailure("an endpoint was found by its target") }
    return target
  }

  /// The connection, and the caller behind it: that of the request before where both have the same token and no trace.
  var caller: Caller {
    let (connection, account, trace) = (exchange.connection, server.account(of: exchange), exchange.trace)
    if let known = connection.caller, trace.isNone, known.trace.isNone, known.account === account,
      known.confinement === confinement
    {
      return known
    }
    let caller = Caller(
      connection: connection.id, peer: connection.peer, groups: connection.groups, account: account,
      confinement: confinement, trace: trace)
    connection.caller = caller
    return caller
  }

  /// The variables and segments, as far as the caller may.
  ///
  /// - Throws: `not-supported`.
  var variables: any VariableStore {
    get throws(LeaseholdError) { try server.variables().acting(for: caller) }
  }

  /// The captured segment as a lock's name.
  func key() throws(LeaseholdError) -> LockKey {
    let raw = target.segment
    if raw.position(of: UInt8(ascii: "%")) == raw.count { return try LockKey(asked: raw) }
    return try LockKey(asked: percentDecodedSegment())
  }

  /// The same behind a prefix.
  func key(after prefix: String) throws(LeaseholdError) -> LockKey {
    try LockKey(asked: Array(prefix.utf8) + percentDecodedSegment())
  }

  private func percentDecodedSegment() throws(LeaseholdError) -> [UInt8] {
    guard let decoded = percentDecoded(target.segment, plusIsSpace: false) else {
      throw LeaseholdError(.malformedRequest, "The lock's name has a broken percent-encoding; write % as %25.")
    }
    return decoded
  }

  /// The captured segment as a lease's id.
  func leaseID() throws(LeaseholdError) -> LeaseID {
    guard let id = LeaseID(hexadecimal: target.segment) else { throw .notALeaseID("id", target.segment) }
    return id
  }

  /// The parameter `lease` as a lease's id.
  func leaseArgument(_ example: StaticString) throws(LeaseholdError) -> LeaseID {
    if let bytes = arguments.plainBytes(.lease), let id = LeaseID(hexadecimal: bytes) { return id }
    guard let text = arguments[.lease] else { throw .missing(.lease, "the id that acquire answered, as in \(example)") }
    guard let id = LeaseID(hexadecimal: text.utf8) else { throw .notALeaseID("lease", text.utf8) }
    return id
  }

  /// A JSON object as the answer, which `write` leaves open.
  func json(_ status: UInt16 = 200, capacity: Int = 512, _ write: (inout ResponseBuffer) -> Void) -> Disposition {
    respond(.json(status, capacity: capacity, write))
  }

  /// The same, with the writer of leases and locks.
  func json(
    _ status: UInt16 = 200, capacity: Int = 512, _ write: (AnswerWriter, inout ResponseBuffer) -> Void
  ) -> Disposition {
    let writer = writer
    return respond(.json(status, capacity: capacity) { write(writer, &$0) })
  }

  /// Answers the request.
  @inline(__always)
  func respond(_ response: consuming Response) -> Disposition { exchange.respond(response) }
}

extension LockKey {
  /// Takes a name as a request has it, decoded.
  init(asked bytes: some Collection<UInt8>) throws(LeaseholdError) {
    do {
      try self.init(utf8: bytes)
    } catch {
      throw LeaseholdError(flaw: error, of: String(decoding: bytes.prefix(64), as: UTF8.self))
    }
  }
}

extension LeaseholdError {
  /// A text that names no lease.
  static func notALeaseName(_ text: some Collection<UInt8>) -> LeaseholdError {
    LeaseholdError(
      .invalidParameter,
      "A lease is named by its id of 32 hexadecimal digits in lower case, or by its ref, the first ten of them.",
      facts: [("parameter", .text("id")), ("value", .text(String(decoding: text.prefix(64), as: UTF8.self)))])
  }

  /// A text that cannot be a lease's id.
  static func notALeaseID(_ parameter: String, _ text: some Collection<UInt8>) -> LeaseholdError {
    LeaseholdError(
      .invalidParameter,
      text.count == 10
        ? "A ref of ten digits only names a lease; give the id of 32 digits that its acquire answered."
        : "A lease's id has 32 hexadecimal digits in lower case, as its acquire answered it.",
      facts: [
        ("parameter", .text(parameter)), ("value", .text(String(decoding: text.prefix(64), as: UTF8.self))),
      ])
  }

  /// The error of a lock's name.
  fileprivate convenience init(flaw: LockKey.Flaw, of name: String) {
    let detail =
      switch flaw {
      case .empty: "A lock's name must not be empty; use /locks/NAME."
      case .tooLong(let count):
        "A lock's name has at most \(LockKey.bytesMax) bytes of UTF-8; this one "
          + "has \(count)."
      case .dots: "A lock cannot be named '.' or '..': programs take such paths apart; choose another name."
      case .notUTF8: "A lock's name must be UTF-8; percent-encode its bytes."
      case .controlCharacter(let offset):
        "A lock's name must not hold control characters; there is one at byte \(offset). Write slashes as %2F."
      case .native(.malformed(let form)): "A native name has the form \(form)."
      case .native(.outOfRange(let range)): "This native name is out of range: \(range)."
      case .native(.privateKey):
        "Key 0 is IPC_PRIVATE, which names nothing: make a set with POST /semaphores {\"key\":\"private\"} and use "
          + "sysv:id:ID.NUMBER."
      }
    let code: LeaseholdError.Code =
      switch flaw {
      case .native(.outOfRange), .native(.privateKey): .outOfRange
      default: .badKey
      }
    self.init(
      code, detail,
      facts: [
        ("parameter", .text("key")), ("value", .text(String(decoding: name.utf8.prefix(64), as: UTF8.self))),
        ("maximum_bytes", .number(Int64(LockKey.bytesMax))),
      ])
  }
}
