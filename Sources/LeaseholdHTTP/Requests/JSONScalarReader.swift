import JSONText

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
/// A request's parameters must say where they are wrong, and names given twice must be seen.
struct JSONScalarReader {
  typealias Flaw = JSONScanner.Flaw

  private var scanner: JSONScanner
  private var isFirst = true

  init(_ bytes: UnsafeBufferPointer<UInt8>) { scanner = JSONScanner(bytes) }

  /// The next member; `nil` after the last.
  ///
  /// A ``JSONScalar/nested`` value must be read with ``list(_:)`` or ``skip(depth:)`` before anything else.
  mutating func next() throws(Flaw) -> (name: String, value: JSONScalar)? {
    if isFirst, try !opens() { return nil }
    guard try scanner.hasNext(before: UInt8(ascii: "}"), isFirst: isFirst) else {
      try scanner.end(after: "object")
      return nil
    }
    isFirst = false
    let name = try scanner.name()
    return (name, try scalar())
  }

  /// Takes what opens the object; false for the two forms of none.
  private mutating func opens() throws(Flaw) -> Bool {
    scanner.skipSpace()
    let start = scanner.offset
    switch scanner.peek {
    case UInt8(ascii: "{")?:
      _ = try scanner.word()
      return true
    // PHP's json_encode makes a list of an array without elements; generated clients send null for no body.
    case UInt8(ascii: "n")?: _ = try scanner.word()
    case UInt8(ascii: "[")?:
      _ = try scanner.word()
      guard scanner.take(UInt8(ascii: "]")) else {
        throw Flaw(what: "an object such as {\"ttl\":\"30s\"} was expected, not a list,", offset: start)
      }
    default: throw scanner.flaw("an object such as {\"ttl\":\"30s\"} was expected")
    }
    try scanner.end(after: "object")
    return false
  }

  /// Reads a list, calling `element` for each element; false when the value is no list.
  mutating func list(
    _ element: (inout JSONScalarReader, _ index: Int) throws -> Void
  ) throws -> Bool {
    guard scanner.take(UInt8(ascii: "[")) else { return false }
    var index = 0
    while try scanner.hasNext(before: UInt8(ascii: "]"), isFirst: index == 0) {
      try element(&self, index)
      index += 1
    }
    return true
  }

  /// Reads an object inside a list; false when the value is none.
  mutating func object(
    _ member: (inout JSONScalarReader, _ name: String) throws -> Void
  ) throws -> Bool {
    guard scanner.take(UInt8(ascii: "{")) else { return false }
    var isFirst = true
    while try scanner.hasNext(before: UInt8(ascii: "}"), isFirst: isFirst) {
      isFirst = false
      try member(&self, try scanner.name())
    }
    return true
  }

  /// Passes over a value of any kind; lists and objects at most 8 deep.
  mutating func skip(depth: Int = 8) throws {
    guard case .nested = try scalar() else { return }
    guard depth > 0 else { throw scanner.flaw("too many lists and objects inside each other") }
    if try list({ reader, _ in try reader.skip(depth: depth - 1) }) { return }
    _ = try object { reader, _ in try reader.skip(depth: depth - 1) }
  }

  /// Returns true when a body looks like JSON, whatever its type says.
  static func begins(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
    var scanner = JSONScanner(bytes)
    scanner.skipSpace()
    return scanner.peek == UInt8(ascii: "{") || scanner.peek == UInt8(ascii: "[")
  }

  /// A value; of a list or an object nothing is read.
  mutating func scalar() throws(Flaw) -> JSONScalar {
    if scanner.peek == UInt8(ascii: "{") || scanner.peek == UInt8(ascii: "[") { return .nested }
    return switch try scanner.word() {
    case .text(let text): .text(text)
    case .number(let digits): .number(Self.whole(digits))
    case .flag(let flag): .flag(flag)
    case .null: .null
    case .object, .list: .nested
    }
  }

  /// 2.5e-1 as 0.25: readers of fractions know of no exponents.
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
}
