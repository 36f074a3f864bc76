/// Reads the words of JSON (RFC 8259) one by one and knows where it is.
///
/// What the words make together, and how deep they may nest, is the caller's business.
public struct JSONScanner {
  /// An error in a text, and the byte at which it is.
  public struct Flaw: Error, Equatable {
    /// The end of a sentence.
    public let what: String
    /// From 0.
    public let offset: Int

    /// Describes a flaw.
    public init(what: String, offset: Int) {
      self.what = what
      self.offset = offset
    }
  }

  /// The grammar that is read: JSON, or more.
  public enum Dialect: Sendable {
    /// Nothing.
    case strict
    /// JSON as people write it into files: comments from `#` or `//` to the end of the line, and a comma behind the
    /// last element or member, for the next one to be written, or to be commented out.
    case commented
  }

  private let bytes: UnsafeBufferPointer<UInt8>
  private let dialect: Dialect
  /// Where the next byte is read, from 0.
  public private(set) var offset = 0

  /// Reads bytes, which must stay where they are meanwhile.
  public init(_ bytes: UnsafeBufferPointer<UInt8>, dialect: Dialect = .strict) {
    self.bytes = bytes
    self.dialect = dialect
  }

  /// The next byte; `nil` at the end.
  public var peek: UInt8? { offset < bytes.count ? bytes[offset] : nil }

  /// A flaw at the next byte.
  public func flaw(_ what: String) -> Flaw { Flaw(what: what, offset: offset) }

  /// Skips blanks and line ends, and comments where there are some.
  public mutating func skipSpace() {
    repeat {
      while let byte = peek, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 { offset += 1 }
    } while dialect == .commented && skipComment()
  }

  /// Skips a comment up to the end of its line, if one comes next.
  private mutating func skipComment() -> Bool {
    let slash = UInt8(ascii: "/")
    let isSlashes = peek == slash && offset + 1 < bytes.count && bytes[offset + 1] == slash
    guard isSlashes || peek == UInt8(ascii: "#") else { return false }
    while let byte = peek, byte != 0x0a { offset += 1 }
    return true
  }

  /// Takes a byte if it comes next, blanks before it left out.
  public mutating func take(_ byte: UInt8) -> Bool {
    skipSpace()
    guard peek == byte else { return false }
    offset += 1
    return true
  }

  /// Takes a byte that must come next, blanks before it left out.
  ///
  /// - Throws: ``Flaw`` when something else comes next.
  public mutating func expect(_ byte: UInt8, _ what: String) throws(Flaw) {
    guard take(byte) else { throw flaw("\(what) was expected") }
  }

  /// Nothing but blanks may follow.
  ///
  /// - Throws: ``Flaw`` when something else follows.
  public mutating func end(after what: String) throws(Flaw) {
    skipSpace()
    guard offset == bytes.count else { throw flaw("something after the \(what)") }
  }

  /// Returns true when another element comes in a list, or another member in an object; what closes it is taken.
  ///
  /// - Parameters:
  ///   - close: `]` or `}`.
  ///   - isFirst: Whether none came before; else a comma must.
  /// - Throws: ``Flaw`` where a comma is missing.
  public mutating func hasNext(before close: UInt8, isFirst: Bool) throws(Flaw) -> Bool {
    if take(close) { return false }
    if !isFirst {
      try expect(UInt8(ascii: ","), close == UInt8(ascii: "]") ? "',' or ']'" : "',' or '}'")
      if dialect == .commented, take(close) { return false }
    }
    skipSpace()
    return true
  }

  /// Takes the name of a member and the colon behind it; its value comes next.
  ///
  /// - Throws: ``Flaw`` when no text and colon come next.
  public mutating func name() throws(Flaw) -> String {
    skipSpace()
    let name = try string()
    try expect(UInt8(ascii: ":"), "':' behind the name")
    skipSpace()
    return name
  }

  /// A word, or what opens a list or an object.
  public enum Word: Sendable, Equatable {
    case object
    case list
    case text(String)
    /// A number as it is written.
    case number(String)
    case flag(Bool)
    case null
  }

  /// Takes the next word, blanks before it left out.
  ///
  /// - Throws: ``Flaw`` when no value comes next.
  public mutating func word() throws(Flaw) -> Word {
    skipSpace()
    switch peek {
    case UInt8(ascii: "{")?:
      offset += 1
      return .object
    case UInt8(ascii: "[")?:
      offset += 1
      return .list
    case UInt8(ascii: "\"")?: return .text(try string())
    case UInt8(ascii: "t")?: return try literal("true", .flag(true))
    case UInt8(ascii: "f")?: return try literal("false", .flag(false))
    case UInt8(ascii: "n")?: return try literal("null", .null)
    case UInt8(ascii: "-")?, (UInt8(ascii: "0")...UInt8(ascii: "9"))?: return .number(try number())
    default: throw flaw("a value was expected")
    }
  }

  private mutating func literal(_ text: StaticString, _ word: Word) throws(Flaw) -> Word {
    for index in 0..<text.utf8CodeUnitCount {
      guard peek == text.utf8Start[index] else { throw flaw("a value was expected") }
      offset += 1
    }
    return word
  }

  private mutating func number() throws(Flaw) -> String {
    let start = offset
    if peek == UInt8(ascii: "-") { offset += 1 }
    let whole = skipDigits()
    guard whole == 1 || whole > 1 && bytes[offset - whole] != UInt8(ascii: "0") else {
      throw flaw("a malformed number")
    }
    if peek == UInt8(ascii: ".") {
      offset += 1
      guard skipDigits() > 0 else { throw flaw("a malformed number") }
    }
    if peek == UInt8(ascii: "e") || peek == UInt8(ascii: "E") {
      offset += 1
      if peek == UInt8(ascii: "+") || peek == UInt8(ascii: "-") { offset += 1 }
      guard skipDigits() > 0 else { throw flaw("a malformed number") }
    }
    return String(decoding: bytes[start..<offset], as: UTF8.self)
  }

  private mutating func skipDigits() -> Int {
    let start = offset
    while let byte = peek, byte >= 0x30, byte <= 0x39 { offset += 1 }
    return offset - start
  }

  /// A string, its escapes resolved.
  private mutating func string() throws(Flaw) -> String {
    guard peek == UInt8(ascii: "\"") else { throw flaw("a text in double quotes was expected") }
    offset += 1
    var text: [UInt8] = []
    var start = offset
    while let byte = peek {
      switch byte {
      case UInt8(ascii: "\""):
        let rest = UnsafeBufferPointer(rebasing: bytes[start..<offset])
        offset += 1
        let string =
          text.isEmpty ? String(utf8Bytes: rest) : (text + rest).withUnsafeBufferPointer { String(utf8Bytes: $0) }
        guard let string else { throw flaw("a string that is not UTF-8") }
        return string
      case UInt8(ascii: "\\"):
        text += bytes[start..<offset]
        try escape(into: &text)
        start = offset
      case 0..<0x20: throw flaw("a control character in a string")
      default: offset += 1
      }
    }
    throw flaw("a string without an end")
  }

  private mutating func escape(into text: inout [UInt8]) throws(Flaw) {
    offset += 1
    guard let byte = peek else { throw flaw("a string without an end") }
    offset += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
    case UInt8(ascii: "b"): text.append(0x08)
    case UInt8(ascii: "f"): text.append(0x0c)
    case UInt8(ascii: "n"): text.append(0x0a)
    case UInt8(ascii: "r"): text.append(0x0d)
    case UInt8(ascii: "t"): text.append(0x09)
    case UInt8(ascii: "u"): try unicode(into: &text)
    default: throw flaw("an unknown escape")
    }
  }

  private mutating func unicode(into text: inout [UInt8]) throws(Flaw) {
    var scalar = try fourDigits()
    if (0xd800..<0xdc00).contains(scalar), peek == UInt8(ascii: "\\") {
      offset += 1
      guard peek == UInt8(ascii: "u") else { throw flaw("half a surrogate pair") }
      offset += 1
      let low = try fourDigits()
      guard (0xdc00..<0xe000).contains(low) else { throw flaw("half a surrogate pair") }
      scalar = 0x10000 + (scalar - 0xd800) << 10 + (low - 0xdc00)
    }
    guard let value = Unicode.Scalar(scalar) else { throw flaw("half a surrogate pair") }
    text.append(contentsOf: String(value).utf8)
  }

  private mutating func fourDigits() throws(Flaw) -> UInt32 {
    var value: UInt32 = 0
    for _ in 0..<4 {
      guard let byte = peek, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
        throw flaw("a malformed \\u escape")
      }
      value = value << 4 | UInt32(digit)
      offset += 1
    }
    return value
  }
}
