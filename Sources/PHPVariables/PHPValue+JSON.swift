public import JSONReading

/// Why a JSON text is no value of PHP.
public enum JSONMappingError: Error, Equatable {
  /// It is not JSON.
  case flaw(JSONReader.Flaw)
  /// A whole number that PHP's int cannot hold, or a float that is none.
  case outOfRange(String, offset: Int)
}

/// Why a value cannot be shown as JSON: the end of a sentence.
public struct NotRepresentable: Error, Equatable {
  /// What it holds that JSON cannot.
  public let what: String
}

extension PHPValue {
  /// Reads a JSON text.
  ///
  /// A whole number is an int, one with a point or an exponent a double; an array becomes a list, an object an array
  /// whose canonical decimals are integer keys. The same name twice in one object is an error.
  /// - Parameter word: The size of PHP's integers where the value is going.
  public init(json bytes: UnsafeBufferPointer<UInt8>, _ word: WordSize = .bits64) throws(JSONMappingError) {
    var mapping = JSONMapping(reader: JSONReader(bytes), word: word)
    do throws(JSONReader.Flaw) {
      self = try mapping.value(depth: 0)
      try mapping.reader.end(after: "value")
    } catch {
      throw mapping.outOfRange ?? .flaw(error)
    }
  }

  /// Writes it as JSON.
  ///
  /// Keys 0 to n-1 in order make an array, all others an object; a double always has a point or an exponent.
  /// - Throws: For bytes that are not UTF-8, infinities, NaN, objects and references.
  public func appendJSON(to text: inout [UInt8]) throws(NotRepresentable) {
    switch self {
    case .null: text += "null".utf8
    case .bool(let flag): text += flag ? "true".utf8 : "false".utf8
    case .int(let number): text += "\(number)".utf8
    case .double(let number):
      guard number.isFinite else { throw NotRepresentable(what: number.isNaN ? "NAN" : "INF") }
      text += number.description.utf8
    case .string(let bytes): try Self.append(bytes, to: &text)
    case .array(let elements): try Self.append(elements, to: &text)
    case .object(.enumCase, _): throw NotRepresentable(what: "an enum case")
    case .object: throw NotRepresentable(what: "an object")
    case .reference: throw NotRepresentable(what: "a reference")
    }
  }

  private static func append(_ elements: [PHPElement], to text: inout [UInt8]) throws(NotRepresentable) {
    let isList = !elements.enumerated().contains { $1.key != .int(Int64($0)) }
    text.append(isList ? UInt8(ascii: "[") : UInt8(ascii: "{"))
    for (index, element) in elements.enumerated() {
      if index > 0 { text.append(UInt8(ascii: ",")) }
      switch element.key {
      case .int(let number) where !isList: text += "\"\(number)\":".utf8
      case .string(let bytes):
        try append(bytes, to: &text)
        text.append(UInt8(ascii: ":"))
      case .int: break
      }
      try element.value.appendJSON(to: &text)
    }
    text.append(isList ? UInt8(ascii: "]") : UInt8(ascii: "}"))
  }

  private static func append(_ bytes: [UInt8], to text: inout [UInt8]) throws(NotRepresentable) {
    guard bytes.allSatisfy({ $0 < 0x80 }) || String(validating: bytes, as: UTF8.self) != nil else {
      throw NotRepresentable(what: "a string that is not UTF-8")
    }
    text.append(UInt8(ascii: "\""))
    for byte in bytes {
      switch byte {
      case UInt8(ascii: "\""): text += "\\\"".utf8
      case UInt8(ascii: "\\"): text += "\\\\".utf8
      case 0x0a: text += "\\n".utf8
      case 0..<0x20, 0x7f:
        let digits = String(byte, radix: 16)
        text += (byte < 0x10 ? "\\u000" : "\\u00").utf8
        text += digits.utf8
      default: text.append(byte)
      }
    }
    text.append(UInt8(ascii: "\""))
  }
}

/// A JSON text on its way to a value of PHP.
private struct JSONMapping {
  var reader: JSONReader
  let word: WordSize
  /// Why the last flaw was one, where it is no flaw of the JSON.
  var outOfRange: JSONMappingError?

  mutating func value(depth: Int) throws(JSONReader.Flaw) -> PHPValue {
    guard depth < PHPUnserializer.maximumDepth else {
      throw reader.flaw("more than \(PHPUnserializer.maximumDepth) levels")
    }
    reader.skipSpace()
    switch reader.peek {
    case UInt8(ascii: "{")?: return .array(try object(depth: depth))
    case UInt8(ascii: "[")?: return .array(try list(depth: depth))
    case UInt8(ascii: "\"")?: return .string(Array(try reader.string().utf8))
    case UInt8(ascii: "t")?: return try word("true", .bool(true))
    case UInt8(ascii: "f")?: return try word("false", .bool(false))
    case UInt8(ascii: "n")?: return try word("null", .null)
    case let byte? where byte == UInt8(ascii: "-") || (0x30...0x39).contains(byte): return try number()
    default: throw reader.flaw("a value was expected")
    }
  }

  private mutating func word(_ text: StaticString, _ value: PHPValue) throws(JSONReader.Flaw) -> PHPValue {
    try reader.word(text)
    return value
  }

  private mutating func number() throws(JSONReader.Flaw) -> PHPValue {
    let start = reader.offset
    let text = try reader.number()
    if text.utf8.contains(where: { $0 == UInt8(ascii: ".") || $0 | 0x20 == UInt8(ascii: "e") }) {
      if let number = Double(text), number.isFinite { return .double(number) }
    } else if let number = Int64(text), self.word.holds(number) {
      return .int(number)
    }
    outOfRange = .outOfRange(text, offset: start)
    throw reader.flaw("a number out of range")
  }

  private mutating func list(depth: Int) throws(JSONReader.Flaw) -> [PHPElement] {
    reader.advance()
    var elements: [PHPElement] = []
    if reader.take(UInt8(ascii: "]")) { return elements }
    while true {
      elements.append(PHPElement(.int(Int64(elements.count)), try value(depth: depth + 1)))
      if reader.take(UInt8(ascii: "]")) { return elements }
      try reader.expect(UInt8(ascii: ","), "',' or ']'")
    }
  }

  private mutating func object(depth: Int) throws(JSONReader.Flaw) -> [PHPElement] {
    reader.advance()
    var elements: [PHPElement] = []
    var keys: Set<PHPKey> = []
    if reader.take(UInt8(ascii: "}")) { return elements }
    while true {
      reader.skipSpace()
      let key = PHPKey(canonical: Array(try reader.string().utf8), self.word)
      guard keys.insert(key).inserted else { throw reader.flaw("a name that stands in its object a second time") }
      try reader.expect(UInt8(ascii: ":"), "':' behind the name")
      elements.append(PHPElement(key, try value(depth: depth + 1)))
      if reader.take(UInt8(ascii: "}")) { return elements }
      try reader.expect(UInt8(ascii: ","), "',' or '}'")
    }
  }
}
