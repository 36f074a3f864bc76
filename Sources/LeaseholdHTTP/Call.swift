import Leasehold

/// One request on its way through an endpoint: what it asks, and how to answer.
struct Call: ~Copyable {
  let exchange: Exchange
  let server: Server
  let target: Target
  let arguments: Arguments
  let asText: Bool
  let writer: AnswerWriter

  /// CLOCK_MONOTONIC at the entrance of the request.
  var now: MonotonicInstant { writer.now }

  /// The connection, and who is behind it.
  var caller: Caller { Caller(connection: exchange.connection.id, peer: exchange.connection.knownPeer) }

  /// The captured segment as a lock's name.
  func key() throws(Problem) -> LockKey {
    let raw = target.segment
    if !raw.contains(UInt8(ascii: "%")) { return try Self.key(raw) }
    guard let decoded = percentDecoded(raw, plusIsSpace: false) else {
      throw Problem(.badKey, "The lock's name has a broken percent-encoding; write % as %25.")
    }
    return try Self.key(decoded)
  }

  private static func key(_ bytes: some Collection<UInt8>) throws(Problem) -> LockKey {
    do {
      return try LockKey(utf8: bytes)
    } catch {
      throw Problem(flaw: error)
    }
  }

  /// A lease's id from its text.
  func leaseID(_ text: some Collection<UInt8>) throws(Problem) -> LeaseID {
    if let id = LeaseID(hexadecimal: text) { return id }
    let isRef = text.count == 10
    throw Problem(
      .noSuchLease,
      isRef
        ? "A ref of ten digits only names a lease; the request needs the id of 32 digits that its acquire answered."
        : "A lease's id has 32 hexadecimal digits, as its acquire answered it.",
      facts: [("value", .text(String(decoding: text.prefix(64), as: UTF8.self)))])
  }

  /// A JSON answer with status 200.
  func json(_ status: Int = 200, capacity: Int = 512, _ write: (inout ResponseBuffer) -> Void) -> Disposition {
    var body = ResponseBuffer(capacity: capacity)
    write(&body)
    return .respond(Response(status: status, contentType: "application/json", body: body))
  }
}

extension Problem {
  /// What is wrong with a lock's name.
  init(flaw: LockKey.Flaw) {
    let detail =
      switch flaw {
      case .empty: "A lock's name must not be empty; use /locks/NAME."
      case .tooLong(let count):
        "A lock's name has at most \(LockKey.maximumBytes) bytes of UTF-8; this one "
          + "has \(count)."
      case .notUTF8: "A lock's name must be UTF-8; percent-encode its bytes."
      case .controlCharacter(let offset):
        "A lock's name must not hold control characters; there is one at byte \(offset). Write slashes as %2F."
      case .reservedPrefix(let prefix):
        "Names that begin with '\(prefix)' mean native semaphores, which this version does not serve; choose "
          + "another name."
      }
    self.init(.badKey, detail, facts: [("maximum", .number(Int64(LockKey.maximumBytes)))])
  }
}

extension PeerConnection {
  /// Who is at the other end, as the lock service knows peers.
  var knownPeer: Peer {
    switch peer {
    case .unix(let pid, let uid, let gid): .local(pid: pid, uid: uid, gid: gid)
    case .tcp(let address): address.known
    }
  }
}
