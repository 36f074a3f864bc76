/// The name of a lock: 1...255 bytes of UTF-8 without control characters.
///
/// A name with a native prefix is one that ``NativeName`` can read.
public struct LockKey: Hashable, Sendable, CustomStringConvertible {
  /// The name as it was given.
  public let text: String
  /// The longest name, in bytes of UTF-8.
  public static let maximumBytes = 255

  /// What may be wrong with a name.
  public enum Flaw: Error, Equatable, Sendable {
    /// No bytes at all.
    case empty
    /// More than ``LockKey/maximumBytes``; carries the number given.
    case tooLong(Int)
    /// `.` or `..`, which clients and proxies take as steps of a path.
    case dots
    /// Not UTF-8.
    case notUTF8
    /// A control character (NUL included); carries its byte offset.
    case controlCharacter(at: Int)
    /// A prefix that names a native layout, and something that is not of its form.
    case native(NativeName.Flaw)
  }

  /// Takes a name from its decoded bytes, or says what is wrong with it.
  @inlinable
  public init<Bytes: Collection>(utf8 bytes: Bytes) throws(Flaw) where Bytes.Element == UInt8 {
    guard !bytes.isEmpty else { throw .empty }
    guard bytes.count <= Self.maximumBytes else { throw .tooLong(bytes.count) }
    var offset = 0
    var union: UInt8 = 0
    for byte in bytes {
      if byte < 0x20 || byte == 0x7f { throw .controlCharacter(at: offset) }
      union |= byte
      offset += 1
    }
    if union < 0x80 {
      try self.init(checked: String(decoding: bytes, as: UTF8.self))
    } else {
      guard let text = String(validating: bytes, as: UTF8.self) else { throw .notUTF8 }
      try self.init(beyondASCII: text)
    }
  }

  /// Takes a name that may hold the control characters beyond ASCII, U+0080...U+009F.
  @usableFromInline
  init(beyondASCII text: String) throws(Flaw) {
    var offset = 0
    for scalar in text.unicodeScalars {
      if (0x80...0x9f).contains(scalar.value) { throw .controlCharacter(at: offset) }
      offset += UTF8.width(scalar)
    }
    try self.init(checked: text)
  }

  /// Takes a name whose bytes are in order.
  ///
  /// The colon of a native prefix stands at offset 3...6.
  @usableFromInline
  init(checked text: String) throws(Flaw) {
    if Self.mayBeNative(text) {
      do {
        _ = try NativeName(text)
      } catch {
        throw .native(error)
      }
    }
    guard text != ".", text != ".." else { throw .dots }
    self.text = text
  }

  @inline(__always)
  private static func mayBeNative(_ text: String) -> Bool {
    text.utf8.dropFirst(3).prefix(4).contains(UInt8(ascii: ":"))
  }

  /// Takes a name that is known to be good: one that was checked before it was stored.
  init(trusted text: String) { self.text = text }

  /// What a native name says; `nil` for an own lock.
  public var native: NativeName? { Self.mayBeNative(text) ? (try? NativeName(text)) : nil }

  /// Whether two names mean the same lock of the same dialect, however its key is spelled.
  public func means(_ other: LockKey) -> Bool {
    if text == other.text { return true }
    guard let native else { return false }
    return native == other.native
  }

  /// The name.
  public var description: String { text }
}
