import Leasehold

extension Call {
  /// A whole number within a range; `nil` when not given.
  func number(_ parameter: Parameter, _ minimum: Int, _ maximum: Int) throws(LeaseholdError) -> Int? {
    try arguments[parameter].map { text throws(LeaseholdError) in
      try LeaseholdError.whole(parameter.name, text[...], minimum, maximum)
    }
  }

  /// A length of time within a range; `nil` when not given.
  @inline(__always)
  func span(_ parameter: Parameter, _ minimum: TimeSpan, _ maximum: TimeSpan) throws(LeaseholdError) -> TimeSpan? {
    try arguments.has(parameter) ? givenSpan(parameter, minimum, maximum) : nil
  }

  @inline(never)
  private func givenSpan(
    _ parameter: Parameter, _ minimum: TimeSpan, _ maximum: TimeSpan
  ) throws(LeaseholdError) -> TimeSpan? {
    guard let value = try span(parameter) else { return nil }
    guard value >= minimum, value <= maximum else {
      throw .outOfRange(parameter, arguments[parameter] ?? "", minimum, maximum)
    }
    return value
  }

  @inline(__always)
  private func span(_ parameter: Parameter) throws(LeaseholdError) -> TimeSpan? {
    if let bytes = arguments.plainBytes(parameter), bytes.count <= 32, let value = TimeSpan(text: bytes) {
      return value
    }
    guard let text = arguments[parameter] else { return nil }
    guard text.utf8.count <= 32, let value = TimeSpan(text: text.utf8) else {
      throw .invalid(parameter, text, "must be a length of time: 250ms, 30s, 1.5m, 2h, or a number of seconds")
    }
    return value
  }

  /// The time to live: within the range of the service and of the token, or zero where the lease is bound to something
  /// and no token has a maximum.
  func timeToLive(isBound: Bool) throws(LeaseholdError) -> TimeSpan? { try timeToLive(isBound: isBound, room: longest) }

  /// The longest time for which a lease may block its lock.
  private var longest: TimeSpan { min(confinement?.longest ?? server.limits.ttlMax, server.limits.ttlMax) }

  @inline(__always)
  private func timeToLive(isBound: Bool, room: TimeSpan) throws(LeaseholdError) -> TimeSpan? {
    guard let value = try span(.ttl) else { return nil }
    if value == .zero, isBound, confinement?.longest == nil { return value }
    guard value >= server.limits.ttlMin, value <= room else {
      throw .outOfRange(.ttl, arguments[.ttl] ?? "", server.limits.ttlMin, room, timesHint(isZero: value == .zero))
    }
    return value
  }

  private func timesHint(isZero: Bool) -> String {
    if let confinement, let longest = confinement.longest {
      return "; token '\(confinement.token)' may keep a lock for \(longest.text), ttl and cooldown together (ttl-max)"
    }
    return isZero ? "; only a lease with bind=connection, bind=pid:N or bind=cgroup may do without a deadline" : ""
  }

  /// Time to live and cooldown of a new lease: a token's maximum is for both together, bound or not.
  func times(isBound: Bool, default ttl: TimeSpan) throws(LeaseholdError) -> (ttl: TimeSpan, cooldown: TimeSpan) {
    let cooldown = try span(.cooldown, .zero, server.limits.ttlMax) ?? .zero
    guard confinement?.longest != nil else {
      return (try timeToLive(isBound: isBound) ?? min(ttl, server.limits.ttlMax), cooldown)
    }
    let (room, least) = (longest - cooldown, min(longest, server.limits.ttlMin))
    guard room >= least else {
      throw .outOfRange(.cooldown, arguments[.cooldown] ?? "", .zero, longest - least, timesHint(isZero: false))
    }
    return (try timeToLive(isBound: isBound, room: room) ?? (ttl > .zero ? min(ttl, room) : room), cooldown)
  }

  /// The time for which the slots stay taken even when the lease ends earlier.
  func holdAtLeast() throws(LeaseholdError) -> TimeSpan {
    guard let value = try span(.holdAtLeast, .zero, longest) else { return .zero }
    try server.need(
      .holdAtLeast, "no slots that stay taken after a release", instead: "a ttl as long as that, and no release")
    return value
  }

  /// A word out of a list; `nil` when not given.
  func word(_ parameter: Parameter, _ words: [String]) throws(LeaseholdError) -> String? {
    guard let text = arguments[parameter] else { return nil }
    guard words.contains(text) else { throw .notOneOf(parameter, text, words) }
    return text
  }

  /// A lock's name given as a parameter.
  func keyArgument() throws(LeaseholdError) -> LockKey? {
    try arguments[.key].map { text throws(LeaseholdError) in try LockKey(asked: text.utf8) }
  }

  /// The holder's free text.
  func owner() throws(LeaseholdError) -> String? {
    try arguments[.owner].map { text throws(LeaseholdError) in try checked(text, .owner, 1...Limits.ownerBytes) }
  }

  /// The owner of the path.
  func ownerInPath() throws(LeaseholdError) -> String {
    guard let bytes = percentDecoded(target.segment, plusIsSpace: false),
      let text = String(validating: bytes, as: UTF8.self)
    else { throw .invalid(.owner, String(decoding: target.segment, as: UTF8.self), "must be UTF-8, percent-encoded") }
    return try checked(text, .owner, 1...Limits.ownerBytes)
  }

  /// The reason that an operator gives the holder.
  func breakReason() throws(LeaseholdError) -> String? {
    guard let text = arguments[.reason], !text.isEmpty else { return nil }
    return try checked(text, .reason, 1...Limits.reasonBytes)
  }

  /// The holder's own words, empty to take them back; `nil` when not given.
  func note() throws(LeaseholdError) -> String? {
    guard let text = arguments[.note] else { return nil }
    try server.need(.notes, "no notes of holders", instead: "'owner', which is given with the acquire")
    return try checked(text, .note, 0...Limits.noteBytes)
  }

  /// The remarks of a holder on itself when it asks: its note, and the group of which it is the newest.
  func remarks() throws(LeaseholdError) -> HolderRemarks? {
    guard arguments.has(anyOf: .remarks) else { return nil }
    let newest = try arguments[.newest].map { text throws(LeaseholdError) in
      try server.need(.newestWins, "no groups in which the newest wins", instead: "max_waiters, which lets few wait")
      return try checked(text, .newest, 1...Limits.noteBytes)
    }
    return HolderRemarks(note: try note(), newest: newest)
  }

  private func checked(
    _ text: String, _ parameter: Parameter, _ lengths: ClosedRange<Int>
  ) throws(LeaseholdError) -> String {
    guard lengths.contains(text.utf8.count) else {
      throw .outOfRange(parameter, text, bytes: lengths)
    }
    guard !text.hasControlCharacters else { throw .invalid(parameter, text, "must not hold control characters") }
    return text
  }

  /// Page size, cursor and filters of a listing.
  func listFilter() throws(LeaseholdError) -> ListFilter {
    var filter = ListFilter()
    filter.confinement = confinement
    filter.limit = try number(.limit, 1, 1000) ?? filter.limit
    filter.cursor = try cursor()
    filter.keyPrefix = try keyPrefix()
    filter.owner = try owner()
    let states = LockState.allCases.map(\.rawValue)
    filter.state = try word(.state, states).flatMap(LockState.init)
    return filter
  }

  /// Where a listing goes on: what `next_cursor` said, to be passed back as it is.
  func cursor() throws(LeaseholdError) -> Int {
    guard let text = arguments[.cursor] else { return 0 }
    guard let value = Int32(text), value >= 0, "\(value)" == text else {
      throw .invalid(.cursor, text, "must be a next_cursor of the page before; leave it out to begin at the front")
    }
    return Int(value)
  }

  /// The prefix of the names in a listing.
  private func keyPrefix() throws(LeaseholdError) -> String? {
    guard let text = arguments[.key] else { return nil }
    guard (1...LockKey.bytesMax).contains(text.utf8.count), !text.hasControlCharacters else {
      throw LeaseholdError(
        .badKey, "'key' must be the beginning of a name: 1...255 bytes of UTF-8 without control characters.",
        facts: [("parameter", .text("key")), ("value", .text(String(text.prefix(64))))])
    }
    return text
  }

  /// The Idempotency-Key header: 1...255 printable ASCII characters.
  func idempotencyKey() throws(LeaseholdError) -> String? {
    guard let bytes = exchange.header(.idempotencyKey) else { return nil }
    guard (1...Limits.idempotencyKeyBytes).contains(bytes.count), bytes.allSatisfy({ $0 >= 0x20 && $0 < 0x7f }) else {
      throw LeaseholdError(
        .invalidParameter, "Idempotency-Key must be 1...\(Limits.idempotencyKeyBytes) printable ASCII characters.",
        facts: [("parameter", .text("Idempotency-Key"))])
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// `Prefer: wait=N` (RFC 7240): a synonym for the parameter, which wins.
  func preferredWait() throws(LeaseholdError) -> TimeSpan? {
    guard let bytes = exchange.header(.prefer) else { return nil }
    for part in bytes.split(whereSeparator: { $0 == UInt8(ascii: ",") || $0 == UInt8(ascii: ";") }) {
      let trimmed = part.drop { $0 == 0x20 || $0 == 0x09 }
      guard trimmed.starts(with: "wait=".utf8) else { continue }
      let value = trimmed.dropFirst(5)
      guard let span = TimeSpan(text: Array(value)) else { return nil }
      guard span <= server.limits.waitMax else {
        throw .outOfRange(.wait, String(decoding: value, as: UTF8.self), .zero, server.limits.waitMax)
      }
      return span
    }
    return nil
  }
}

extension String {
  /// True when it holds a control character, those beyond ASCII (U+0080...U+009F) included.
  var hasControlCharacters: Bool {
    let isPlain = utf8.withContiguousStorageIfAvailable { UnsafeRawBufferPointer($0).isPlainASCII() } ?? false
    return !isPlain && unicodeScalars.contains { $0.value < 0x20 || (0x7f...0x9f).contains($0.value) }
  }
}

extension ParameterSet {
  /// The parameters of what a holder says of itself.
  fileprivate static let remarks = ParameterSet(.note) | .newest
}
