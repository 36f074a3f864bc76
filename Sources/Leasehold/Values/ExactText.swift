// Text from outside is compared byte by byte. Swift's own comparisons take a composed letter and the same letter with a
// combining mark for one text: right for people who read, and wrong for names, which the kernel, the file system and
// every other program tell apart by their bytes. `hasPrefix` and `Hashable` of String are no better.

extension String {
  /// Returns true when another text has the same bytes.
  @inlinable
  public func isExactly(_ other: String) -> Bool {
    guard utf8.count == other.utf8.count else { return false }
    return utf8.withContiguousStorageIfAvailable { mine in
      other.utf8.withContiguousStorageIfAvailable { its in
        UnsafeRawBufferPointer(mine).hasBytes(of: UnsafeRawBufferPointer(its))
      } ?? mine.elementsEqual(other.utf8)
    } ?? utf8.elementsEqual(other.utf8)
  }

  /// Its bytes as a number that differs, for all practical purposes, when they do, and that is known to nobody who does
  /// not know the seed.
  func spread(_ seed: UInt64) -> UInt64 {
    utf8.withContiguousStorageIfAvailable { UnsafeRawBufferPointer($0).spread(seed) } ?? 0
  }

  /// Returns true when its bytes begin with those of another text.
  @inlinable
  public func begins(with prefix: String) -> Bool { utf8.starts(with: prefix.utf8) }

  /// Feeds its bytes into a hash.
  @inlinable
  public func hashBytes(into hasher: inout Hasher) {
    let isDone: Void? = utf8.withContiguousStorageIfAvailable { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    if isDone == nil { for byte in utf8 { hasher.combine(byte) } }
  }
}

extension String? {
  /// Returns true when both are there and have the same bytes, or neither is.
  package func isExactly(_ other: String?) -> Bool {
    switch (self, other) {
    case (nil, nil): true
    case (let mine?, let its?): mine.isExactly(its)
    default: false
    }
  }
}

/// Text that is told from other text by its bytes: a key for sets and dictionaries.
public struct ExactText: Hashable, Sendable, ExpressibleByStringLiteral {
  /// The text.
  public let text: String

  /// Takes a text as it is.
  public init(_ text: String) { self.text = text }

  /// Takes a text as it stands in the source.
  public init(stringLiteral text: String) { self.text = text }

  /// Returns true when both have the same bytes.
  public static func == (one: ExactText, other: ExactText) -> Bool { one.text.isExactly(other.text) }

  /// Hashes the bytes.
  public func hash(into hasher: inout Hasher) { text.hashBytes(into: &hasher) }
}
