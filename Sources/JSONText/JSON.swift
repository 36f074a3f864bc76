/// A JSON value; numbers keep their digits and objects their order.
public enum JSON: Sendable, Equatable {
  case null
  case bool(Bool)
  /// A number as it is written.
  case number(String)
  case string(String)
  case array([JSON])
  case object([Member])

  /// A name and its value; where they were read does not make them differ.
  public struct Member: Sendable, Equatable {
    /// The name.
    public let name: String
    /// The value.
    public let value: JSON
    /// The first byte of the name in the text it was read from, from 0.
    public let offset: Int

    /// Makes a member of an object.
    public init(_ name: String, _ value: JSON, offset: Int = 0) {
      (self.name, self.value, self.offset) = (name, value, offset)
    }

    /// Equal in name and value.
    public static func == (one: Member, other: Member) -> Bool { one.name == other.name && one.value == other.value }
  }

  /// Reads a text; `nil` when it is not JSON.
  public init?(_ bytes: [UInt8]) { try? self.init(parsing: bytes) }

  /// Reads a text.
  ///
  /// - Parameters:
  ///   - depthMax: How deep values may nest.
  ///   - refusesTwins: Whether a name may stand in its object only once.
  ///   - dialect: What is read besides JSON.
  /// - Throws: ``JSONScanner/Flaw``.
  public init(
    parsing bytes: [UInt8], depthMax: Int = 64, refusesTwins: Bool = false, dialect: JSONScanner.Dialect = .strict
  ) throws(JSONScanner.Flaw) {
    self = try bytes.withUnsafeBufferPointer { bytes throws(JSONScanner.Flaw) in
      var scanner = JSONScanner(bytes, dialect: dialect)
      let value = try JSON(next: &scanner, depthMax: depthMax, refusesTwins: refusesTwins)
      try scanner.end(after: "value")
      return value
    }
  }

  /// Reads the value that comes next in a text.
  ///
  /// - Throws: ``JSONScanner/Flaw``.
  public init(next scanner: inout JSONScanner, depthMax: Int, refusesTwins: Bool = false) throws(JSONScanner.Flaw) {
    var parser = Parser(scanner: scanner, depthMax: depthMax, refusesTwins: refusesTwins)
    self = try parser.value(depth: 0)
    scanner = parser.scanner
  }

  /// The first member of that name; ``null`` when there is none.
  public subscript(name: String) -> JSON {
    members.first { $0.name == name }?.value ?? .null
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

  /// The members of an object; none when it is no object.
  public var members: [Member] {
    if case .object(let members) = self { members } else { [] }
  }

  private struct Parser {
    var scanner: JSONScanner
    let depthMax: Int
    let refusesTwins: Bool

    mutating func value(depth: Int) throws(JSONScanner.Flaw) -> JSON {
      guard depth < depthMax else { throw scanner.flaw("more than \(depthMax) levels") }
      switch try scanner.word() {
      case .object: return .object(try members(depth: depth))
      case .list: return .array(try list(depth: depth))
      case .text(let text): return .string(text)
      case .number(let digits): return .number(digits)
      case .flag(let flag): return .bool(flag)
      case .null: return .null
      }
    }

    private mutating func list(depth: Int) throws(JSONScanner.Flaw) -> [JSON] {
      var elements: [JSON] = []
      while try scanner.hasNext(before: UInt8(ascii: "]"), isFirst: elements.isEmpty) {
        elements.append(try value(depth: depth + 1))
      }
      return elements
    }

    private mutating func members(depth: Int) throws(JSONScanner.Flaw) -> [Member] {
      var members: [Member] = []
      members.reserveCapacity(4)
      while try scanner.hasNext(before: UInt8(ascii: "}"), isFirst: members.isEmpty) {
        let start = scanner.offset
        let name = try scanner.name()
        if refusesTwins, members.contains(where: { $0.name == name }) {
          throw JSONScanner.Flaw(what: "'\(name)' stands in its object a second time", offset: start)
        }
        members.append(Member(name, try value(depth: depth + 1), offset: start))
      }
      return members
    }
  }
}

extension JSON: ExpressibleByDictionaryLiteral {
  /// Makes an object of the members that have a value.
  public init(dictionaryLiteral members: (String, JSON?)...) {
    self = .object(members.compactMap { name, value in value.map { Member(name, $0) } })
  }

  /// Makes a whole number.
  public static func number(_ number: some BinaryInteger) -> JSON { .number("\(number)") }

  /// Makes an array of texts.
  public static func texts(_ texts: [String]) -> JSON { .array(texts.map(JSON.string)) }
}

extension JSON: CustomStringConvertible {
  /// The value as JSON, on one line.
  public var description: String { String(decoding: bytes, as: UTF8.self) }

  /// The value as JSON, on one line.
  public var bytes: [UInt8] {
    var bytes: [UInt8] = []
    append(to: &bytes)
    return bytes
  }

  private func append(to bytes: inout [UInt8]) {
    switch self {
    case .null: bytes += "null".utf8
    case .bool(let flag): bytes += (flag ? "true" : "false").utf8
    case .number(let digits): bytes += digits.utf8
    case .string(let text): bytes.appendQuoted(text)
    case .array(let elements):
      bytes.append(UInt8(ascii: "["))
      for (index, element) in elements.enumerated() {
        if index > 0 { bytes.append(UInt8(ascii: ",")) }
        element.append(to: &bytes)
      }
      bytes.append(UInt8(ascii: "]"))
    case .object(let members):
      bytes.append(UInt8(ascii: "{"))
      for (index, member) in members.enumerated() {
        if index > 0 { bytes.append(UInt8(ascii: ",")) }
        bytes.appendQuoted(member.name)
        bytes.append(UInt8(ascii: ":"))
        member.value.append(to: &bytes)
      }
      bytes.append(UInt8(ascii: "}"))
    }
  }
}
