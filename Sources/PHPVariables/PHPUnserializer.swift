import JSONText

/// Reads what PHP's `serialize()` writes, and trusts no number in it.
///
/// Objects, enum cases and references are checked for form and kept as text; no object is ever made.
public struct PHPUnserializer {
  /// An error in a text, and the byte at which it is.
  public struct Flaw: Error, Equatable {
    /// The end of a sentence.
    public let what: String
    /// From 0.
    public let offset: Int
    /// True when only ``PHPUnserializer/depthMax`` is passed: PHP itself may read it.
    public var isTooDeep = false
  }

  /// The depth to which arrays and objects may nest.
  public static let depthMax = 512

  private let bytes: UnsafeBufferPointer<UInt8>
  private var offset = 0
  /// The values so far, as `r:n;` counts them.
  private var count = 0
  /// The old Serializable interface may hold values that we do not count.
  private var isCountExact = true

  private init(_ bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

  /// Reads one value.
  ///
  /// - Parameter ignoringRest: Whether bytes after the value are fine, as they are to PHP.
  /// - Throws: ``Flaw`` when the text is no value, holds more than one, or is nested too deep.
  ///
  /// The corresponding PHP function is `unserialize`.
  public static func unserialize(_ text: [UInt8], ignoringRest: Bool = false) throws(Flaw) -> PHPValue {
    try text.withUnsafeBufferPointer { bytes throws(Flaw) in
      var reader = PHPUnserializer(bytes)
      let value = try reader.value(depth: 0)
      if !ignoringRest, reader.offset < bytes.count { throw reader.flaw("something after the value") }
      return value
    }
  }

  /// A flaw at a byte; where none is named, at the next.
  private func flaw(_ what: String, at place: Int? = nil) -> Flaw { Flaw(what: what, offset: place ?? offset) }

  private var rest: Int { bytes.count - offset }

  private mutating func expect(_ text: StaticString) throws(Flaw) {
    for index in 0..<text.utf8CodeUnitCount {
      let byte = text.utf8Start[index]
      guard offset < bytes.count, bytes[offset] == byte else {
        throw flaw("'\(Character(Unicode.Scalar(byte)))' was expected")
      }
      offset += 1
    }
  }

  private mutating func value(depth: Int) throws(Flaw) -> PHPValue {
    guard depth < Self.depthMax else {
      throw Flaw(what: "more than \(Self.depthMax) levels", offset: offset, isTooDeep: true)
    }
    let start = offset
    guard rest >= 2 else { throw flaw("a value was expected") }
    let letter = bytes[offset]
    offset += 1
    if letter != UInt8(ascii: "R") { count += 1 }
    if letter == UInt8(ascii: "N") {
      try expect(";")
      return .null
    }
    try expect(":")
    switch letter {
    case UInt8(ascii: "b"): return .bool(try flag())
    case UInt8(ascii: "i"): return .int(try integer())
    case UInt8(ascii: "d"): return .double(try double())
    case UInt8(ascii: "s"): return .string(try string())
    case UInt8(ascii: "a"): return .array(try array(depth: depth))
    case UInt8(ascii: "r"), UInt8(ascii: "R"):
      try reference(to: letter == UInt8(ascii: "R") ? count : count - 1)
      return .reference(text: Array(bytes[start..<offset]))
    default:
      guard let kind = PHPObjectKind(rawValue: letter) else { throw flaw("a value was expected", at: start) }
      try object(kind, depth: depth)
      return .object(kind, text: Array(bytes[start..<offset]))
    }
  }

  private mutating func array(depth: Int) throws(Flaw) -> [PHPElement] {
    let count = try length("an array")
    try expect(":{")
    // Each element has a key and a value of at least four and two bytes: a larger number is a lie.
    guard count <= rest / 6 else { throw flaw("fewer elements than it says") }
    var elements: [PHPElement] = []
    var places: [PHPKey: Int]?
    for number in 0..<count {
      let key = try key()
      let value = try value(depth: depth + 1)
      // A list needs no table of what was there.
      if places == nil, key != .int(Int64(number)) {
        places = Dictionary(uniqueKeysWithValues: elements.enumerated().map { ($1.key, $0) })
      }
      if let place = places?[key] {
        elements[place].value = value
      } else {
        places?[key] = elements.count
        elements.append(PHPElement(key, value))
      }
    }
    try expect("}")
    return elements
  }

  private mutating func key() throws(Flaw) -> PHPKey {
    guard rest >= 2, bytes[offset + 1] == UInt8(ascii: ":") else { throw flaw("a key was expected") }
    let letter = bytes[offset]
    guard letter == UInt8(ascii: "i") || letter == UInt8(ascii: "s") else { throw flaw("a key was expected") }
    offset += 2
    return letter == UInt8(ascii: "i") ? .int(try integer()) : PHPKey(canonical: try string(), .bits64)
  }

  private mutating func object(_ kind: PHPObjectKind, depth: Int) throws(Flaw) {
    try name(withCase: kind == .enumCase)
    if kind == .enumCase { return try expect(";") }
    try expect(":")
    let count = try length("an object")
    try expect(":{")
    guard count <= rest else { throw flaw("fewer bytes than it says") }
    if kind == .serializable {
      offset += count
      isCountExact = false
    } else {
      guard count <= rest / 6 else { throw flaw("fewer properties than it says") }
      for _ in 0..<count {
        _ = try key()
        _ = try value(depth: depth + 1)
      }
    }
    try expect("}")
  }

  /// The name of a class, and of an enum's case behind a colon.
  private mutating func name(withCase: Bool) throws(Flaw) {
    let start = offset
    let name = try quoted("a name")
    let parts = name.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
    let isFine =
      parts.count == (withCase ? 2 : 1)
      && parts.allSatisfy { part in
        !part.isEmpty && part.allSatisfy { $0.isLetterOrDigit || $0 >= 0x7f || "_\\".utf8.contains($0) }
      }
    guard isFine else {
      throw flaw("the name of \(withCase ? "an enum's case" : "a class") was expected", at: start)
    }
  }
}

// Scalars.
extension PHPUnserializer {
  private mutating func flag() throws(Flaw) -> Bool {
    guard offset < bytes.count, bytes[offset] == 0x30 || bytes[offset] == 0x31 else { throw flaw("neither 0 nor 1") }
    let flag = bytes[offset] == 0x31
    offset += 1
    try expect(";")
    return flag
  }

  /// The bytes up to a semicolon, which is taken; none is longer than a float may be.
  private mutating func word() throws(Flaw) -> String {
    let start = offset
    while offset < bytes.count, bytes[offset] != UInt8(ascii: ";"), offset - start < 1100 { offset += 1 }
    let word = String(decoding: bytes[start..<offset], as: UTF8.self)
    try expect(";")
    return word
  }

  private mutating func integer() throws(Flaw) -> Int64 {
    let start = offset
    guard let number = Int64(try word()) else { throw flaw("an integer of 64 bits was expected", at: start) }
    return number
  }

  private mutating func double() throws(Flaw) -> Double {
    let start = offset
    let word = try word()
    switch word {
    case "NAN": return .nan
    case "INF": return .infinity
    case "-INF": return -.infinity
    default: break
    }
    let isPlain = word.utf8.allSatisfy { byte in
      (0x30...0x39).contains(byte) || "+-.eE".utf8.contains(byte)
    }
    guard isPlain, word.utf8.contains(where: { (0x30...0x39).contains($0) }), let number = Double(word) else {
      throw flaw("a float was expected", at: start)
    }
    return number
  }

  /// Digits without a sign.
  private mutating func length(_ what: String) throws(Flaw) -> Int {
    var length = 0
    let start = offset
    while offset < bytes.count, (0x30...0x39).contains(bytes[offset]) {
      let (scaled, overflow) = length.multipliedReportingOverflow(by: 10)
      // No text is that long.
      guard !overflow, scaled < Int.max - 9 else { throw flaw("the length of \(what) was expected") }
      length = scaled + Int(bytes[offset] - 0x30)
      offset += 1
    }
    guard offset > start else { throw flaw("the length of \(what) was expected") }
    return length
  }

  private mutating func string() throws(Flaw) -> [UInt8] {
    let bytes = try quoted("a string")
    try expect(";")
    return bytes
  }

  /// `5:"bytes"`.
  private mutating func quoted(_ what: String) throws(Flaw) -> [UInt8] {
    let count = try length(what)
    try expect(":\"")
    guard count <= rest else { throw flaw("\(what) shorter than it says") }
    let text = Array(bytes[offset..<offset + count])
    offset += count
    try expect("\"")
    return text
  }

  private mutating func reference(to last: Int) throws(Flaw) {
    let start = offset
    let number = try integer()
    guard number >= 1, number <= Int64(last) || !isCountExact else { throw flaw("a reference to nothing", at: start) }
  }
}
