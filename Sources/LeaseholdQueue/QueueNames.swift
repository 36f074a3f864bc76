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
    let words = text.utf8.dropFirst(prefix.utf8.count).split(
      separator: UInt8(ascii: "/"), omittingEmptySubsequences: false
    ).map { String(decoding: $0, as: UTF8.self) }
    guard words.allSatisfy({ !$0.isEmpty }) else { return nil }
    switch (words.first, words.count) {
    case ("q", 3):
      return words[2].hasSuffix(".u")
        ? .upgrade(lock: words[1], String(words[2].dropLast(2))) : .entry(lock: words[1], words[2])
    case ("x", 2): return .locks(words[1])
    case ("a", 2): return .inTime(words[1])
    case ("y", 2): return .retry(words[1])
    case ("d", 2): return .end(words[1])
    case ("c", 2): return .kind(words[1])
    default: return nil
    }
  }

  /// A lock's name as a part of a key: all but `A-Za-z0-9._-` is percent-encoded.
  package static func encoded(_ name: String) -> String {
    var part: [UInt8] = []
    for byte in name.utf8 {
      switch byte {
      case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
        part.append(byte)
      default:
        part.append(UInt8(ascii: "%"))
        for nibble in [byte >> 4, byte & 15] {
          part.append(nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "A") + nibble - 10)
        }
      }
    }
    return String(decoding: part, as: UTF8.self)
  }

  /// The lock's name of a part of a key; `nil` where ``encoded(_:)`` does not give that part.
  package static func decoded(_ part: String) -> String? {
    var (bytes, rest): ([UInt8], Substring.UTF8View) = ([], part.utf8[...])
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "%") else {
        bytes.append(byte)
        continue
      }
      guard rest.count >= 2, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) else {
        return nil
      }
      bytes.append(value)
      rest = rest.dropFirst(2)
    }
    guard let name = String(validating: bytes, as: UTF8.self), encoded(name) == part else { return nil }
    return name
  }
}
