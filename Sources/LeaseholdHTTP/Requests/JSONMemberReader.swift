import JSONText

/// Reads one JSON object (RFC 8259) member by member.
///
/// A request's parameters must say where they are wrong, and names given twice must be seen.
struct JSONMemberReader {
  typealias Flaw = JSONScanner.Flaw

  private var scanner: JSONScanner
  private var isFirst = true

  init(_ bytes: UnsafeBufferPointer<UInt8>) { scanner = JSONScanner(bytes) }

  /// The name of the next member, whose value comes next; `nil` after the last.
  mutating func next() throws(Flaw) -> String? {
    if isFirst, try !opens() { return nil }
    guard try scanner.hasNext(before: UInt8(ascii: "}"), isFirst: isFirst) else {
      try scanner.end(after: "object")
      return nil
    }
    isFirst = false
    return try scanner.name()
  }

  /// True when a list or an object comes next.
  var isNested: Bool { scanner.peek == UInt8(ascii: "{") || scanner.peek == UInt8(ascii: "[") }

  /// Reads a value; lists and objects are at most 8 deep.
  mutating func value() throws(Flaw) -> JSON { try JSON(next: &scanner, depthMax: 9) }

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

  /// Returns true when a body looks like JSON, whatever its type says.
  static func begins(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
    var reader = JSONMemberReader(bytes)
    reader.scanner.skipSpace()
    return reader.isNested
  }
}

extension JSON {
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
  static func whole(_ text: String) -> String {
    if text.utf8.allSatisfy({ $0 != UInt8(ascii: ".") && $0 | 0x20 != UInt8(ascii: "e") }) { return text }
    guard let value = Double(text) else { return text }
    if value.magnitude >= 0x1p63 { return value < 0 ? "\(Int64.min)" : "\(Int64.max)" }
    return value == value.rounded() ? "\(Int64(value))" : withoutExponent(text)
  }
}
