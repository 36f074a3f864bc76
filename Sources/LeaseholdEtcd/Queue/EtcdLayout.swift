internal import EtcdGateway
internal import HTTPExchange
internal import Leasehold

/// The names of keys below one prefix.
struct EtcdLayout: Sendable {
  /// Ends with a slash.
  let prefix: String

  init(prefix: String) {
    precondition(!prefix.isEmpty)
    self.prefix = prefix.utf8.last == UInt8(ascii: "/") ? prefix : prefix + "/"
  }

  /// All keys of locks.
  var all: EtcdKeys { .prefix(prefix) }

  func entry(_ lock: String, _ entry: String) -> String { "\(prefix)q/\(lock)/\(entry)" }
  func queue(_ lock: String) -> EtcdKeys { .prefix("\(prefix)q/\(lock)/") }
  func kind(_ lock: String) -> String { "\(prefix)c/\(lock)" }
  func locks(of entry: String) -> String { "\(prefix)l/\(entry)" }
  func end(of entry: String) -> String { "\(prefix)d/\(entry)" }
  func idempotency(_ hash: String) -> String { "\(prefix)i/\(hash)" }
  func server(_ name: String) -> String { "\(prefix)s/\(name)" }

  /// The meaning of a key.
  enum Name: Equatable {
    case entry(lock: String, entry: String)
    case kind(lock: String)
    case end(entry: String)
    case other
  }

  /// Reads a key.
  func name(of key: String) -> Name {
    guard key.utf8.starts(with: prefix.utf8) else { return .other }
    let words = key.utf8.dropFirst(prefix.utf8.count).split(
      separator: UInt8(ascii: "/"), omittingEmptySubsequences: false
    ).map { String(decoding: $0, as: UTF8.self) }
    switch (words.first, words.count) {
    case ("q", 3): return .entry(lock: words[1], entry: words[2])
    case ("c", 2): return .kind(lock: words[1])
    case ("d", 2): return .end(entry: words[1])
    default: return .other
    }
  }

  /// A lock's name as a part of a key: all but `A-Za-z0-9._-` is percent-encoded.
  static func encoded(_ key: LockKey) -> String {
    // What stays of a path's segment beyond that is one character.
    key.pathSegment.split(separator: "~", omittingEmptySubsequences: false).joined(separator: "%7E")
  }

  /// The lock's name of a part of a key; `nil` where it is none.
  static func decoded(_ part: String) -> LockKey? {
    var bytes: [UInt8] = []
    var rest = part.utf8[...]
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "%") else {
        bytes.append(byte)
        continue
      }
      let digits = String(decoding: rest.prefix(2), as: UTF8.self)
      guard rest.count >= 2, let value = UInt8(digits, radix: 16) else { return nil }
      bytes.append(value)
      rest = rest.dropFirst(2)
    }
    return try? LockKey(utf8: bytes)
  }

  /// The name of a lease's entry: etcd holds no id by which a lease can be released.
  static func entry(of lease: LeaseID) -> String { String(digest("entry", lease.text).prefix(32)) }

  /// 64 hexadecimal digits of some texts.
  static func digest(_ texts: String...) -> String {
    var digits: [UInt8] = []
    for byte in bytes(texts) {
      for nibble in [byte >> 4, byte & 15] { digits.append(nibble < 10 ? 0x30 + nibble : 0x57 + nibble) }
    }
    return String(decoding: digits, as: UTF8.self)
  }

  private static func bytes(_ texts: [String]) -> [UInt8] {
    var text: [UInt8] = []
    for part in texts { text += Array(part.utf8) + [0] }
    guard let digest = Digest.sha256(text) else { preconditionFailure("SHA-256 is switched off") }
    return digest
  }

  /// A lease's id that only who knows the Idempotency-Key can read, and back.
  static func hidden(_ id: LeaseID, by key: String, _ lock: LockKey) -> LeaseID {
    let pad = bytes(["pad", lock.text, key])
    func word(_ from: Int) -> UInt64 { pad[from..<from + 8].reduce(0) { $0 << 8 | UInt64($1) } }
    return LeaseID(high: id.high ^ word(0), low: id.low ^ word(8))
  }
}
