/// The name of a lock: 1...255 bytes of UTF-8 without control characters.
///
/// A name with a native prefix is one that ``NativeName`` can read. Names are told apart by their bytes: a composed and
/// a decomposed letter make two locks.
public struct LockKey: Hashable, Sendable, CustomStringConvertible {
  /// The name as it was given.
  public let text: String
  /// The longest name, in bytes of UTF-8.
  public static let bytesMax = 255

  /// An error in a name.
  public enum Flaw: Error, Equatable, Sendable {
    /// A body of no bytes.
    case empty
    /// More than ``LockKey/bytesMax``; carries the number given.
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
  ///
  /// - Throws: ``Flaw``, which says what is wrong with the name.
  @inlinable
  public init<Bytes: Collection>(utf8 bytes: Bytes) throws(Flaw) where Bytes.Element == UInt8 {
    guard !bytes.isEmpty else { throw .empty }
    guard bytes.count <= Self.bytesMax else { throw .tooLong(bytes.count) }
    let plain = bytes.withContiguousStorageIfAvailable {
      UnsafeRawBufferPointer($0).isPlainASCII() ? String(ascii: $0) : nil
    }
    if let plain = plain ?? nil {
      try self.init(checked: plain)
      return
    }
    var offset = 0
    for byte in bytes {
      if byte < 0x20 || byte == 0x7f { throw .controlCharacter(at: offset) }
      offset += 1
    }
    guard let text = String(validating: bytes, as: UTF8.self) else { throw .notUTF8 }
    try self.init(beyondASCII: text)
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
  /// The colon of a native prefix stands at offset 3...6, of the longest at 9.
  @usableFromInline
  init(checked text: String) throws(Flaw) {
    if Self.mayBeNative(text) {
      do {
        _ = try NativeName(text)
      } catch {
        throw .native(error)
      }
    }
    if text.utf8.count < 3, text == "." || text == ".." { throw .dots }
    self.text = text
  }

  private static func mayBeNative(_ text: String) -> Bool {
    let isFound = text.utf8.withContiguousStorageIfAvailable { bytes in
      var offset = 3
      while offset < min(bytes.count, 7) {
        if bytes[offset] == UInt8(ascii: ":") { return true }
        offset += 1
      }
      return bytes.count > 9 && bytes[9] == UInt8(ascii: ":") && bytes[0] == UInt8(ascii: "s")
    }
    return isFound ?? true
  }

  /// Takes a name that is known to be good: one that was checked before it was stored.
  init(trusted text: String) { self.text = text }

  /// The contents of a native name; `nil` for an own lock.
  public var native: NativeName? { Self.mayBeNative(text) ? (try? NativeName(text)) : nil }

  /// Returns true when two names mean the same lock of the same dialect, however its key is spelled.
  public func means(_ other: LockKey) -> Bool {
    if self == other { return true }
    guard let native else { return false }
    return native == other.native
  }

  /// The name.
  public var description: String { text }

  /// Returns true when both names have the same bytes.
  @inlinable
  public static func == (one: LockKey, other: LockKey) -> Bool { one.text.isExactly(other.text) }

  /// Hashes the bytes.
  @inlinable
  public func hash(into hasher: inout Hasher) { text.hashBytes(into: &hasher) }

  /// The first character that cannot be seen, or that changes how the others are shown: formats (Unicode's Cf),
  /// separators other than the plain blank, and what is ignored unless a font knows better; `nil` where every one is
  /// visible.
  ///
  /// The joiners U+200C and U+200D are among them. Some scripts write with them; a lock's name has to tell itself from
  /// others more than it has to be written well.
  public var hiddenCharacter: (scalar: Unicode.Scalar, offset: Int)? {
    if text.utf8.allSatisfy({ $0 < 0x80 }) { return nil }
    var offset = 0
    for scalar in text.unicodeScalars {
      if scalar.isHidden { return (scalar, offset) }
      offset += UTF8.width(scalar)
    }
    return nil
  }

  /// The name as a segment of a path: percent-encoded but for letters, digits and `-._~`.
  public var pathSegment: String {
    var segment = ""
    for byte in text.utf8 {
      switch byte {
      case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f, 0x7e: segment.unicodeScalars.append(.init(byte))
      default: segment += (byte < 0x10 ? "%0" : "%") + String(byte, radix: 16, uppercase: true)
      }
    }
    return segment
  }
}

extension Unicode.Scalar {
  /// True when it is not seen by itself: a control, a format, a separator other than the plain blank, or what is
  /// ignored unless a font knows better.
  public var isHidden: Bool {
    if isASCII { return value < 0x20 || value == 0x7f }
    return switch properties.generalCategory {
    case .format, .control, .lineSeparator, .paragraphSeparator, .spaceSeparator: true
    default: properties.isDefaultIgnorableCodePoint
    }
  }
}
