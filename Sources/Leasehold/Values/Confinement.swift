/// The bounds that a token sets its caller: some locks, by the beginnings of their names, and a time for which it may
/// keep one.
///
/// What a request names is looked at before it is asked; what it reaches without naming it, by a lease's id or owner,
/// in a list, or because it stands on the same set, is looked at by the ledger when it is found.
public final class Confinement: Sendable {
  /// The token, for people.
  public let token: String
  /// The prefixes of the locks that it covers; `nil` for all locks.
  public let prefixes: [String]?
  /// The longest ttl of its leases, their cooldown included; `nil` for as long as the service lets.
  public let longest: TimeSpan?

  /// Makes a confinement.
  public init(token: String, prefixes: [String]?, longest: TimeSpan?) {
    self.token = token
    self.prefixes = prefixes
    self.longest = longest
  }

  /// Returns true when one of the prefixes covers a name, as it is spelled.
  ///
  /// A prefix without a colon covers own locks only, and `..` could lead a path out of its prefix.
  public func covers(_ name: String) -> Bool {
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

  private static let nativePrefixes = NativeName.prefixes + ["shm:"]

  /// A name, or what it leads to, that is not covered.
  public func refusal(_ what: String) -> LeaseholdError {
    let prefixes = prefixes ?? []
    return LeaseholdError(
      .forbidden, "\(what); it may use names that begin with one of \(prefixes.joined(separator: ", ")).",
      facts: [("token", .text(token)), ("allowed_prefixes", .texts(prefixes))])
  }

  /// Throws where a lease would block its lock for longer than it may.
  ///
  /// - Parameters:
  ///   - span: How long it would live from now on; zero is for ever.
  ///   - cooldown: How long its slots stay taken after that.
  ///   - remedy: What to do with a ttl that is short enough.
  func check(_ span: TimeSpan, and cooldown: TimeSpan, _ remedy: String = "give") throws(LeaseholdError) {
    guard let longest, span <= .zero || span + cooldown > longest else { return }
    let room = max(.zero, longest - cooldown)
    throw LeaseholdError(
      .outOfRange,
      "The lease would last for \(span > .zero ? span.text : "ever")"
        + (cooldown > .zero ? " and cool down for \(cooldown.text)" : "")
        + ", and token '\(token)' may keep a lock for \(longest.text) at most (ttl-max); \(remedy) a ttl of "
        + "\(room.text) or less.",
      facts: [
        ("parameter", .text("ttl")), ("value", .text(span.text)), ("maximum", .text(room.text)),
        ("maximum_ms", .number(room.milliseconds)), ("token", .text(token)),
      ])
  }
}
