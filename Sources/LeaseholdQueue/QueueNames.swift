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
    guard let kind = rest.first, rest.dropFirst().first == UInt8(ascii: "/") else { return nil }
    let word = rest.dropFirst(2)
    guard let first = word.first, first != UInt8(ascii: "/") else { return nil }
    let slash = word.firstIndex(of: UInt8(ascii: "/"))
    guard kind != UInt8(ascii: "q") else { return slash.flatMap { Self.place(word[..<$0], word[$0...].dropFirst()) } }
    guard slash == nil else { return nil }
    let name = String(decoding: word, as: UTF8.self)
    switch kind {
    case UInt8(ascii: "x"): return .locks(name)
    case UInt8(ascii: "a"): return .inTime(name)
    case UInt8(ascii: "y"): return .retry(name)
    case UInt8(ascii: "d"): return .end(name)
    case UInt8(ascii: "c"): return .kind(name)
    default: return nil
    }
  }

  private static func place(_ lock: Substring.UTF8View, _ name: Substring.UTF8View) -> QueueKey? {
    guard !name.isEmpty, !name.contains(UInt8(ascii: "/")) else { return nil }
    let lock = String(decoding: lock, as: UTF8.self)
    guard name.suffix(2).elementsEqual(".u".utf8) else {
      return .entry(lock: lock, String(decoding: name, as: UTF8.self))
    }
    return .upgrade(lock: lock, String(decoding: name.dropLast(2), as: UTF8.self))
  }

  /// A lock's name as a part of a key: all but `A-Za-z0-9._-` is percent-encoded.
  package static func encoded(_ name: String) -> String { name.percentEncoded(keeping: "._-") }

  /// The lock's name of a part of a key; `nil` where ``encoded(_:)`` does not give that part.
  package static func decoded(_ part: String) -> String? {
    if encoded(part) == part { return part }
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
