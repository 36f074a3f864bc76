/// A value of a request's JSON body.
enum JSONScalar {
  case text(String)
  /// A number, in decimal without a fraction or exponent where it is whole.
  case number(String)
  case flag(Bool)
  case null
  /// An object or a list, of which nothing has been read yet.
  case nested
}

/// Reads one JSON object (RFC 8259) member by member: scalars, and lists where they are asked for.
///
/// By hand, because a request's parameters must say where they are wrong, and because names given twice must be seen:
/// decoders keep one of them in silence.
struct JSONScalarReader {
  /// What is wrong, and at which byte.
  struct Flaw: Error {
    let what: String
    let offset: Int
  }

  private let bytes: UnsafeBufferPointer<UInt8>
  private(set) var offset = 0
  private var isFirst = true
  private var isDone = false

  init(_ bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

  /// The next member; `nil` after the last.
  ///
  /// A ``JSONScalar/nested`` value must be read with ``list(_:)`` or ``skip()`` before anything else.
  mutating func next() throws(Flaw) -> (name: String, value: JSONScalar)? {
    if isDone { return nil }
    if isFirst {
      isFirst = false
      skipSpace()
      // PHP's json_encode makes a list of an array without elements; generated clients send null for no body.
      if peek == UInt8(ascii: "[") { return try emptyList() }
      if peek == UInt8(ascii: "n") {
        _ = try word("null", .null)
        offset -= 1
        return try finish()
      }
      try expect(UInt8(ascii: "{"), "an object such as {\"ttl\":\"30s\"}")
      skipSpace()
      if peek == UInt8(ascii: "}") { return try finish() }
    } else {
      skipSpace()
      if peek == UInt8(ascii: "}") { return try finish() }
      try expect(UInt8(ascii: ","), "',' or '}'")
    }
    skipSpace()
    let name = try string()
    try expect(UInt8(ascii: ":"), "':' behind the name")
    skipSpace()
    return (name, try scalar())
  }

  /// Reads a list, calling `element` for each element; false when the value is no list.
  mutating func list(
    _ element: (inout JSONScalarReader, _ index: Int) throws -> Void
  ) throws -> Bool {
    guard peek == UInt8(ascii: "[") else { return false }
    offset += 1
    skipSpace()
    var index = 0
    while peek != UInt8(ascii: "]") {
      if index > 0 { try expect(UInt8(ascii: ","), "',' or ']'") }
      skipSpace()
      try element(&self, index)
      index += 1
      skipSpace()
    }
    offset += 1
    return true
  }

  /// Reads an object inside a list; false when the value is none.
  mutating func object(
    _ member: (inout JSONScalarReader, _ name: String) throws -> Void
  ) throws -> Bool {
    guard peek == UInt8(ascii: "{") else { return false }
    offset += 1
    skipSpace()
    var isFirst = true
    while peek != UInt8(ascii: "}") {
      if !isFirst { try expect(UInt8(ascii: ","), "',' or '}'") }
      isFirst = false
      skipSpace()
      let name = try string()
      try expect(UInt8(ascii: ":"), "':' behind the name")
      skipSpace()
      try member(&self, name)
      skipSpace()
    }
    offset += 1
    return true
  }

  /// Passes over a value of any kind; lists and objects at most 8 deep.
  mutating func skip(depth: Int = 8) throws {
    guard case .nested = try scalar() else { return }
    guard depth > 0 else { throw flaw("too many lists and objects inside each other") }
    if try list({ reader, _ in try reader.skip(depth: depth - 1) }) { return }
    _ = try object { reader, _ in try reader.skip(depth: depth - 1) }
  }

  private var peek: UInt8? { offset < bytes.count ? bytes[offset] : nil }

  private func flaw(_ what: String) -> Flaw { Flaw(what: what, offset: offset) }

  /// Whether a body looks like JSON, whatever its type says.
  static func begins(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
    var reader = JSONScalarReader(bytes)
    reader.skipSpace()
    return reader.peek == UInt8(ascii: "{") || reader.peek == UInt8(ascii: "[")
  }

  private mutating func emptyList() throws(Flaw) -> (name: String, value: JSONScalar)? {
    let start = offset
    offset += 1
    skipSpace()
    guard peek == UInt8(ascii: "]") else {
      throw Flaw(what: "an object such as {\"ttl\":\"30s\"} was expected, not a list,", offset: start)
    }
    return try finish()
  }

  private mutating func finish() throws(Flaw) -> (name: String, value: JSONScalar)? {
    offset += 1
    isDone = true
    skipSpace()
    guard offset == bytes.count else { throw flaw("something after the object") }
    return nil
  }

  private mutating func skipSpace() {
    while let byte = peek, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 { offset += 1 }
  }

  private mutating func expect(_ byte: UInt8, _ what: String) throws(Flaw) {
    skipSpace()
    guard peek == byte else { throw flaw("\(what) was expected") }
    offset += 1
  }

  /// A value; of a list or an object nothing is read.
  mutating func scalar() throws(Flaw) -> JSONScalar {
    switch peek {
    case UInt8(ascii: "\"")?: return .text(try string())
    case UInt8(ascii: "t")?: return try word("true", .flag(true))
    case UInt8(ascii: "f")?: return try word("false", .flag(false))
    case UInt8(ascii: "n")?: return try word("null", .null)
    case UInt8(ascii: "{")?, UInt8(ascii: "[")?: return .nested
    case UInt8(ascii: "-")?: return .number(Self.whole(try number()))
    case let byte? where byte >= 0x30 && byte <= 0x39: return .number(Self.whole(try number()))
    default: throw flaw("a value was expected")
    }
  }

  private mutating func word(_ text: String, _ value: JSONScalar) throws(Flaw) -> JSONScalar {
    for byte in text.utf8 {
      guard peek == byte else { throw flaw("a value was expected") }
      offset += 1
    }
    return value
  }

  /// 2.5e-1 as 0.25: who reads a fraction knows of no exponents.
  private static func withoutExponent(_ text: String) -> String {
    let halves = text.split(whereSeparator: { $0 == "e" || $0 == "E" })
    guard halves.count == 2, let exponent = Int(halves[1]) else { return text }
    let mantissa = halves[0].split(separator: ".", omittingEmptySubsequences: false)
    let sign = mantissa[0].hasPrefix("-") ? "-" : ""
    let whole = mantissa[0].drop(while: { $0 == "-" })
    let digits = whole + (mantissa.count > 1 ? mantissa[1] : "")
    let point = whole.count + exponent
    // A Double that is no whole number has fewer places than that on either side.
    guard point > -400, point < digits.count else { return text }
    if point <= 0 { return "\(sign)0.\(String(repeating: "0", count: -point))\(digits)" }
    return "\(sign)\(digits.prefix(point)).\(digits.dropFirst(point))"
  }

  /// JSON knows no whole numbers of their own: 9, 9.0 and 0.9e1 are one number.
  private static func whole(_ text: String) -> String {
    if text.utf8.allSatisfy({ $0 != UInt8(ascii: ".") && $0 | 0x20 != UInt8(ascii: "e") }) { return text }
    guard let value = Double(text) else { return text }
    if value.magnitude >= 0x1p63 { return value < 0 ? "\(Int64.min)" : "\(Int64.max)" }
    return value == value.rounded() ? "\(Int64(value))" : withoutExponent(text)
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

  private mutating func string() throws(Flaw) -> String {
    guard peek == UInt8(ascii: "\"") else { throw flaw("a text in double quotes was expected") }
    offset += 1
    var text: [UInt8] = []
    while let byte = peek {
      switch byte {
      case UInt8(ascii: "\""):
        offset += 1
        guard let string = String(validating: text, as: UTF8.self) else { throw flaw("a string that is not UTF-8") }
        return string
      case UInt8(ascii: "\\"): try escape(into: &text)
      case 0..<0x20: throw flaw("a control character in a string")
      default:
        text.append(byte)
        offset += 1
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
