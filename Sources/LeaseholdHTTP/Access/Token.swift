import Leasehold

/// One line of the file of tokens: a name, and what it may do.
final class Token: Sendable {
  let name: String
  let role: Role
  /// Which locks it may use and for how long; `nil` for all, and as long as the service lets.
  let confinement: Confinement?
  let digest: SHA256
  let account: CallerAccount

  init(_ line: TokenLine, account: CallerAccount) {
    (name, role, digest) = (line.name, line.role, line.digest)
    let isConfined = line.prefixes != nil || line.ttlMax != nil
    confinement = isConfined ? Confinement(token: name, prefixes: line.prefixes, longest: line.ttlMax) : nil
    self.account = account
  }
}

extension LockSnapshot {
  /// The part of it that a caller with a token sees: no names of locks that the token may not use.
  func seen(by token: Token?) -> LockSnapshot {
    guard let confinement = token?.confinement, confinement.prefixes != nil else { return self }
    var shown = self
    shown.queuedFor.removeAll { !confinement.covers($0.text) }
    for index in shown.waiters.indices { shown.waiters[index].keys.removeAll { !confinement.covers($0.text) } }
    return shown
  }
}

extension Token {
  /// Throws unless the token may do what the request asks, beyond the role that was checked by its path alone.
  func check(_ reach: Endpoint.Reach, _ call: borrowing Call) throws(LeaseholdError) {
    for right in [Parameter.force, .resize] where role < .admin && call.arguments[right] == "true" {
      throw .forbidden(self, "\(right.name)=true", needs: .admin)
    }
    guard let confinement, confinement.prefixes != nil else { return }
    switch reach {
    case .service: return
    // The lease itself is looked at where it is found.
    case .lease: if let key = call.arguments[.key] { try check(name: key) }
    case .lock: try check(name: call.key().text)
    case .list, .pattern:
      guard let prefix = call.arguments[.key] else {
        throw confinement.refusal("Token '\(name)' sees a part of the locks only, so ask with key=PREFIX")
      }
      var isStarred = false
      if case .pattern = reach { isStarred = prefix.utf8.last == UInt8(ascii: "*") }
      try check(name: isStarred ? String(prefix.unicodeScalars.dropLast()) : prefix)
    case .named(let word, let parameter):
      try check(name: "\(word)" + (parameter.map { call.arguments[$0] ?? "" } ?? call.segmentText))
    }
  }

  /// Throws unless the token may use what has this name.
  func check(name asked: String) throws(LeaseholdError) {
    guard let confinement, !confinement.covers(asked) else { return }
    throw confinement.refusal("Token '\(name)' may not use '\(asked.excerpt)'")
  }
}

extension Call {
  /// The captured segment, decoded.
  var segmentText: String {
    percentDecoded(target.segment, plusIsSpace: false).map { String(decoding: $0, as: UTF8.self) } ?? ""
  }

  /// The confinement of the caller.
  var confinement: Confinement? { exchange.context.token?.confinement }

  /// True when the caller may end what others hold.
  ///
  /// Over TCP without tokens, as every caller may do everything there; on the Unix socket root alone, unless a token
  /// says otherwise.
  var isAdministrator: Bool {
    if let token = exchange.context.token { return token.role == .admin }
    guard let uid = caller.peer.uid else { return true }
    return uid == 0
  }
}

extension LeaseholdError {
  /// The error as a caller with a token may see it.
  func told(to token: Token?) -> LeaseholdError {
    guard let confinement = token?.confinement, confinement.prefixes != nil, var lock = contention else { return self }
    lock.queuedFor.removeAll { !confinement.covers($0.text) }
    return showing(lock)
  }

  /// A token that is good, but not for this.
  static func forbidden(_ token: Token, _ detail: String) -> LeaseholdError {
    LeaseholdError(.forbidden, detail, facts: [("token", .text(token.name)), ("role", .text(token.role.name))])
  }

  /// A token whose role is too small.
  static func forbidden(_ token: Token, _ what: String, needs role: Role) -> LeaseholdError {
    forbidden(
      token, "\(what) needs the role '\(role.name)', and token '\(token.name)' has '\(token.role.name)'."
    ).adding([("needed_role", .text(role.name))])
  }
}
