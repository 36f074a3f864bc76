import Leasehold

/// One line of the file of tokens: who may do what.
final class Token: Sendable {
  let name: String
  let role: Role
  /// What names of locks must begin with; `nil` for all locks.
  let prefixes: [String]?
  /// The longest time to live of its leases; `nil` for the service's own.
  let ttlMaximum: TimeSpan?
  let digest: SHA256
  let account: CallerAccount

  init(
    name: String, role: Role, prefixes: [String]?, ttlMaximum: TimeSpan?, digest: SHA256, account: CallerAccount
  ) {
    self.name = name
    self.role = role
    self.prefixes = prefixes
    self.ttlMaximum = ttlMaximum
    self.digest = digest
    self.account = account
  }

  /// Whether the token may use the lock of this name.
  func mayUse(key: LockKey) -> Bool { mayUse(name: key.text) }

  /// Whether one of the prefixes covers a name, as it is spelled.
  ///
  /// A prefix without a colon covers own locks only, and `..` could lead a path out of its prefix.
  func mayUse(name: String) -> Bool {
    guard let prefixes else { return true }
    let native = Self.nativePrefixes.first { name.utf8.starts(with: $0.utf8) }
    if native == "path:", name.utf8.split(separator: UInt8(ascii: "/")).contains(where: { $0.elementsEqual("..".utf8) })
    {
      return false
    }
    return prefixes.contains { prefix in
      name.utf8.starts(with: prefix.utf8) && (native.map { prefix.utf8.starts(with: $0.utf8) } ?? true)
    }
  }

  private static let nativePrefixes = ["php:", "apache:", "path:", "sysv:", "shm:"]
}

extension LockSnapshot {
  /// What a caller with a token sees of it: no names of locks that the token may not use.
  func seen(by token: Token?) -> LockSnapshot {
    guard let token, token.prefixes != nil else { return self }
    var shown = self
    shown.queuedFor.removeAll { !token.mayUse(key: $0) }
    for index in shown.waiters.indices { shown.waiters[index].keys.removeAll { !token.mayUse(key: $0) } }
    return shown
  }
}

extension Problem {
  /// What a caller with a token is told.
  func told(to token: Token?) -> Problem {
    guard token?.prefixes != nil, let lock = self.contention else { return self }
    var told = self
    told.contention = lock.seen(by: token)
    return told
  }
}

extension Exchange {
  /// The token that the request came with, where it needed one or had one.
  var token: Token? { identity as? Token }
}

extension Token {
  /// Throws unless the token may do what the request asks, beyond the role that was checked by its path alone.
  func check(_ endpoint: Endpoint, _ call: borrowing Call) throws(Problem) {
    if role < .admin, call.arguments[.force] == "true" { throw .forbidden(self, "force=true", needs: .admin) }
    if let ttlMaximum, call.arguments[.undo] == "false" {
      throw .forbidden(
        self,
        "undo=false asks for a lease that never ends, and the leases of token '\(name)' last at most "
          + "\(ttlMaximum.text).")
    }
    guard prefixes != nil else { return }
    switch endpoint.reach {
    case .service, .lease: return
    case .lock: try check(name: call.key().text)
    case .list:
      guard let prefix = call.arguments[.key] else {
        throw .forbidden(
          self, "Token '\(name)' sees a part of the locks only; ask with key=PREFIX, a prefix it may use.")
      }
      try check(name: prefix)
    case .semaphores:
      let isAll = endpoint.route == .semaphores
      try check(name: "sysv:" + (isAll ? call.arguments[.key] ?? "" : call.segmentText))
    case .segments:
      switch endpoint.route {
      case .segments: try check(name: "shm:" + (call.arguments[.key] ?? ""))
      case .segment, .segmentBytes: try check(name: "shm:" + call.segmentText)
      default: try check(name: "shm:" + (call.arguments[.segment] ?? ""))
      }
    }
  }

  private func check(name asked: String) throws(Problem) {
    guard !mayUse(name: asked) else { return }
    var problem = Problem.forbidden(
      self,
      "Token '\(name)' may not use '\(asked.excerpt)'; it may use names that begin with one of "
        + "\((prefixes ?? []).joined(separator: ", ")).")
    problem.choices = ("allowed_prefixes", prefixes ?? [])
    throw problem
  }
}

extension Call {
  /// The captured segment, decoded.
  fileprivate var segmentText: String {
    percentDecoded(target.segment, plusIsSpace: false).map { String(decoding: $0, as: UTF8.self) } ?? ""
  }

  /// The longest time to live for this caller.
  var ttlMaximum: TimeSpan {
    guard let own = exchange.token?.ttlMaximum else { return server.limits.ttlMaximum }
    return min(own, server.limits.ttlMaximum)
  }

  /// Whether the caller may end what others hold.
  ///
  /// Over TCP without tokens, as everybody may do everything there; on the Unix socket root alone, unless a token says
  /// otherwise.
  var isAdministrator: Bool {
    if let token = exchange.token { return token.role == .admin }
    guard let uid = caller.peer.uid else { return true }
    return uid == 0
  }
}

extension Problem {
  /// A token that is good, but not for this.
  static func forbidden(_ token: Token, _ detail: String) -> Problem {
    Problem(.forbidden, detail, facts: [("token", .text(token.name)), ("role", .text(token.role.name))])
  }

  /// A token whose role is too small.
  static func forbidden(_ token: Token, _ what: String, needs role: Role) -> Problem {
    var problem = forbidden(
      token, "\(what) needs the role '\(role.name)', and token '\(token.name)' has '\(token.role.name)'.")
    problem.facts.append(("needed_role", .text(role.name)))
    return problem
  }
}
