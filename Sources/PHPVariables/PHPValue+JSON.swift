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

  /// The value as JSON.
  ///
  /// Keys 0 to n-1 in order make an array, all others an object; a double always has a point or an exponent.
  /// - Throws: For bytes that are not UTF-8, infinities, NaN, objects and references.
  public func json() throws(NotRepresentable) -> JSON {
    switch self {
    case .null: return .null
    case .bool(let flag): return .bool(flag)
    case .int(let number): return .number(number)
    case .double(let number):
      guard number.isFinite else { throw NotRepresentable(what: number.isNaN ? "NAN" : "INF") }
      return .number(number.description)
    case .string(let bytes): return .string(try Self.text(bytes))
    case .array(let elements):
      if !elements.enumerated().contains(where: { $1.key != .int(Int64($0)) }) {
        return .array(try elements.map { element throws(NotRepresentable) in try element.value.json() })
      }
      return .object(
        try elements.map { element throws(NotRepresentable) in
          let name =
            switch element.key {
            case .int(let number): "\(number)"
            case .string(let bytes): try Self.text(bytes)
            }
          return JSON.Member(name, try element.value.json())
        })
    case .object(.enumCase, _): throw NotRepresentable(what: "an enum case")
    case .object: throw NotRepresentable(what: "an object")
    case .reference: throw NotRepresentable(what: "a reference")
    }
  }

  private static func text(_ bytes: [UInt8]) throws(NotRepresentable) -> String {
    guard let text = bytes.withUnsafeBufferPointer({ String(utf8Bytes: $0) }) else {
      throw NotRepresentable(what: "a string that is not UTF-8")
    }
    return text
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
