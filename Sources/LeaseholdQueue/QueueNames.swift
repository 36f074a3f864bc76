internal import JSONText

/// The names of keys below one prefix, as text.
package struct QueueNames: Hashable, Sendable {
  /// It ends with a slash.
  package let prefix: String

  /// Names below a prefix, which must not be empty.
  package init(prefix: String) {
    precondition(!prefix.isEmpty)
    self.prefix = prefix.utf8.last == UInt8(ascii: "/") ? prefix : prefix + "/"
  }

  /// The text of a key; locks are names as ``encoded(_:)`` gives them.
  package func text(_ key: QueueKey) -> String {
    switch key {
    case .entry(let lock, let name): "\(prefix)q/\(lock)/\(name)"
    case .upgrade(let lock, let name): "\(prefix)q/\(lock)/\(name).u"
    case .locks(let name): "\(prefix)x/\(name)"
    case .inTime(let name): "\(prefix)a/\(name)"
    case .retry(let hash): "\(prefix)y/\(hash)"
    case .end(let name): "\(prefix)d/\(name)"
    case .kind(let lock): "\(prefix)c/\(lock)"
    }
  }

  /// The first text of the keys that tell how queues stand, and the end of them: what only one call looks up, and the
  /// sessions, lie behind.
  package var followed: (first: String, end: String) { ("\(prefix)a/", "\(prefix)r") }

  /// The text that all keys of a lock's queue, and no others, begin with.
  package func queue(_ lock: String) -> String { "\(prefix)q/\(lock)/" }

  /// Reads a key; `nil` for one that is not of this kind.
  package func key(_ text: String) -> QueueKey? {
    guard text.utf8.starts(with: prefix.utf8) else { return nil }
    let rest = text.utf8.dropFirst(prefix.utf8.count)
    let parts = rest.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    guard (2...3).contains(parts.count), parts.allSatisfy({ !$0.isEmpty }) else { return nil }
    let (word, name) = (String(decoding: parts[1], as: UTF8.self), parts[parts.count - 1])
    switch (String(decoding: parts[0], as: UTF8.self), parts.count) {
    case ("q", 3) where name.suffix(2).elementsEqual(".u".utf8):
      return .upgrade(lock: word, String(decoding: name.dropLast(2), as: UTF8.self))
    case ("q", 3): return .entry(lock: word, String(decoding: name, as: UTF8.self))
    case ("x", 2): return .locks(word)
    case ("a", 2): return .inTime(word)
    case ("y", 2): return .retry(word)
    case ("d", 2): return .end(word)
    case ("c", 2): return .kind(word)
    default: return nil
    }
  }

  /// A lock's name as a part of a key: all but `A-Za-z0-9._-` is percent-encoded.
  package static func encoded(_ name: String) -> String { name.percentEncoded(keeping: "._-") }

  /// The lock's name of a part of a key; `nil` where ``encoded(_:)`` does not give that part.
  package static func decoded(_ part: String) -> String? {
    if encoded(part) == part { return part }
    let pieces = part.utf8.split(separator: UInt8(ascii: "%"), omittingEmptySubsequences: false)
    var bytes = Array(pieces[0])
    for piece in pieces.dropFirst() {
      guard let byte = UInt8(String(decoding: piece.prefix(2), as: UTF8.self), radix: 16) else { return nil }
      bytes += [byte] + piece.dropFirst(2)
    }
    guard let name = String(validating: bytes, as: UTF8.self), encoded(name) == part else { return nil }
    return name
  }
}
