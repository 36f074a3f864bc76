public import JSONText

/// Why a JSON text is no value of PHP.
public enum JSONMappingError: Error, Equatable {
  /// It is not JSON.
  case flaw(JSONScanner.Flaw)
  /// A whole number that PHP's int cannot hold, or a float that is none.
  case outOfRange(String, offset: Int)
}

/// Why a value cannot be shown as JSON: the end of a sentence.
public struct NotRepresentable: Error, Equatable {
  /// The part of the value that JSON cannot hold.
  public let what: String
}

extension PHPValue {
  /// Reads a JSON text.
  ///
  /// A whole number is an int, one with a point or an exponent a double; an array becomes a list, an object an array
  /// whose canonical decimals are integer keys. The same name twice in one object is an error.
  /// - Parameter word: The size of PHP's integers where the value is going.
  /// - Throws: ``JSONMappingError`` when it is no JSON, names a member twice, or has an integer beyond `word`.
  public init(json bytes: UnsafeBufferPointer<UInt8>, _ word: WordSize = .bits64) throws(JSONMappingError) {
    var mapping = JSONMapping(scanner: JSONScanner(bytes), word: word)
    do throws(JSONScanner.Flaw) {
      self = try mapping.value(depth: 0)
      try mapping.scanner.end(after: "value")
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
    bytes.withUnsafeBufferPointer { text.appendQuoted($0) }
  }
}

/// A JSON text on its way to a value of PHP.
private struct JSONMapping {
  var scanner: JSONScanner
  let word: WordSize
  /// Why the last flaw was one, where it is no flaw of the JSON.
  var outOfRange: JSONMappingError?

  mutating func value(depth: Int) throws(JSONScanner.Flaw) -> PHPValue {
    guard depth < PHPUnserializer.depthMax else {
      throw scanner.flaw("more than \(PHPUnserializer.depthMax) levels")
    }
    scanner.skipSpace()
    let start = scanner.offset
    switch try scanner.word() {
    case .object: return .array(try object(depth: depth))
    case .list: return .array(try list(depth: depth))
    case .text(let text): return .string(Array(text.utf8))
    case .number(let digits): return try number(digits, at: start)
    case .flag(let flag): return .bool(flag)
    case .null: return .null
    }
  }

  private mutating func number(_ text: String, at start: Int) throws(JSONScanner.Flaw) -> PHPValue {
    if text.utf8.contains(where: { $0 == UInt8(ascii: ".") || $0 | 0x20 == UInt8(ascii: "e") }) {
      if let number = Double(text), number.isFinite { return .double(number) }
    } else if let number = Int64(text), self.word.holds(number) {
      return .int(number)
    }
    outOfRange = .outOfRange(text, offset: start)
    throw scanner.flaw("a number out of range")
  }

  private mutating func list(depth: Int) throws(JSONScanner.Flaw) -> [PHPElement] {
    var elements: [PHPElement] = []
    while try scanner.hasNext(before: UInt8(ascii: "]"), isFirst: elements.isEmpty) {
      elements.append(PHPElement(.int(Int64(elements.count)), try value(depth: depth + 1)))
    }
    return elements
  }

  private mutating func object(depth: Int) throws(JSONScanner.Flaw) -> [PHPElement] {
    var elements: [PHPElement] = []
    var keys: Set<PHPKey> = []
    while try scanner.hasNext(before: UInt8(ascii: "}"), isFirst: elements.isEmpty) {
      let key = PHPKey(canonical: Array(try scanner.name().utf8), self.word)
      guard keys.insert(key).inserted else { throw scanner.flaw("a name that stands in its object a second time") }
      elements.append(PHPElement(key, try value(depth: depth + 1)))
    }
    return elements
  }
}
