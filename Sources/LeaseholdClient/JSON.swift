internal import JSONReading

/// A JSON value; numbers keep their digits and objects their order.
public indirect enum JSON: Sendable, Equatable {
  case null
  case bool(Bool)
  /// A number as it is written.
  case number(String)
  case string(String)
  case array([JSON])
  case object([Member])

  /// A name and its value.
  public struct Member: Sendable, Equatable {
    /// The name.
    public let name: String
    /// The value.
    public let value: JSON

    /// Makes a member of an object.
    public init(_ name: String, _ value: JSON) {
      self.name = name
      self.value = value
    }
  }

  /// How deep values may nest; what is deeper is no answer of Leasehold's.
  static let depthMax = 64

  /// Reads a text; `nil` when it is not JSON.
  public init?(_ bytes: [UInt8]) {
    let value = bytes.withUnsafeBufferPointer { bytes -> JSON? in
      var reader = JSONReader(bytes)
      guard let value = try? Self.value(&reader, depth: 0), (try? reader.end(after: "value")) != nil else { return nil }
      return value
    }
    guard let value else { return nil }
    self = value
  }

  /// The first member of that name; ``null`` when there is none.
  public subscript(name: String) -> JSON {
    guard case .object(let members) = self else { return .null }
    return members.first { $0.name == name }?.value ?? .null
  }

  /// The text of a string.
  public var string: String? {
    if case .string(let text) = self { text } else { nil }
  }

  /// A whole number that fits.
  public var int: Int64? {
    if case .number(let digits) = self { Int64(digits) } else { nil }
  }

  /// A truth value.
  public var bool: Bool? {
    if case .bool(let flag) = self { flag } else { nil }
  }

  /// The elements of an array; none when it is no array.
  public var elements: [JSON] {
    if case .array(let elements) = self { elements } else { [] }
  }

  private static func value(_ reader: inout JSONReader, depth: Int) throws(JSONReader.Flaw) -> JSON {
    guard depth < depthMax else { throw reader.flaw("more than \(depthMax) levels") }
    reader.skipSpace()
    switch reader.peek {
    case UInt8(ascii: "{")?: return .object(try members(&reader, depth: depth))
    case UInt8(ascii: "[")?: return .array(try list(&reader, depth: depth))
    case UInt8(ascii: "\"")?: return .string(try reader.string())
    case UInt8(ascii: "t")?:
      try reader.word("true")
      return .bool(true)
    case UInt8(ascii: "f")?:
      try reader.word("false")
      return .bool(false)
    case UInt8(ascii: "n")?:
      try reader.word("null")
      return .null
    default: return .number(try reader.number())
    }
  }

  private static func list(_ reader: inout JSONReader, depth: Int) throws(JSONReader.Flaw) -> [JSON] {
    reader.advance()
    var elements: [JSON] = []
    if reader.take(UInt8(ascii: "]")) { return elements }
    while true {
      elements.append(try value(&reader, depth: depth + 1))
      if reader.take(UInt8(ascii: "]")) { return elements }
      try reader.expect(UInt8(ascii: ","), "',' or ']'")
    }
  }

  private static func members(_ reader: inout JSONReader, depth: Int) throws(JSONReader.Flaw) -> [Member] {
    reader.advance()
    var members: [Member] = []
    if reader.take(UInt8(ascii: "}")) { return members }
    while true {
      reader.skipSpace()
      let name = try reader.string()
      try reader.expect(UInt8(ascii: ":"), "':' behind the name")
      members.append(Member(name, try value(&reader, depth: depth + 1)))
      if reader.take(UInt8(ascii: "}")) { return members }
      try reader.expect(UInt8(ascii: ","), "',' or '}'")
    }
  }
}

extension JSON: CustomStringConvertible {
  /// The value as JSON, on one line.
  public var description: String {
    switch self {
    case .null: "null"
    case .bool(let flag): "\(flag)"
    case .number(let digits): digits
    case .string(let text): Self.quoted(text)
    case .array(let elements): "[" + elements.map(\.description).joined(separator: ",") + "]"
    case .object(let members):
      "{" + members.map { Self.quoted($0.name) + ":" + $0.value.description }.joined(separator: ",") + "}"
    }
  }

  private static func quoted(_ text: String) -> String {
    var quoted = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": quoted += "\\\""
      case "\\": quoted += "\\\\"
      case "\n": quoted += "\\n"
      case _ where scalar.value < 0x20 || scalar.value == 0x7f:
        let digits = String(scalar.value, radix: 16)
        quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: quoted.unicodeScalars.append(scalar)
      }
    }
    return quoted + "\""
  }
}
