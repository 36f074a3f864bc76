/// A value of PHP, as far as `serialize()` can carry it from one process to another.
///
/// Objects, enum cases and references keep their text: making objects is PHP's business.
public enum PHPValue: Hashable, Sendable {
  case null
  case bool(Bool)
  case int(Int64)
  /// A float of 64 bits; NaN and the infinities too.
  case double(Double)
  /// Bytes, of whatever encoding.
  case string([UInt8])
  /// Keys and values in order; no key twice.
  case array([PHPElement])
  /// An object or enum case: its text, from the letter to the closing brace or semicolon.
  case object(PHPObjectKind, text: [UInt8])
  /// `r:n;` (the same object again) or `R:n;` (a reference), as it is written.
  case reference(text: [UInt8])
}

/// The kind of an opaque value.
public enum PHPObjectKind: UInt8, Hashable, Sendable {
  /// `O:`, an object with properties.
  case object = 0x4f
  /// `C:`, an object of the old Serializable interface.
  case serializable = 0x43
  /// `E:`, a case of an enum.
  case enumCase = 0x45
}

/// A key of an array with its value.
public struct PHPElement: Hashable, Sendable {
  /// An integer or a string that is no canonical decimal.
  public var key: PHPKey
  /// The value.
  public var value: PHPValue

  /// Makes an element.
  public init(_ key: PHPKey, _ value: PHPValue) {
    self.key = key
    self.value = value
  }
}

/// A key of an array.
public enum PHPKey: Hashable, Sendable {
  case int(Int64)
  case string([UInt8])

  /// The key that PHP makes of a string: an integer for a canonical decimal, `"7"` and `"-3"` but not `"07"`, `"-0"`
  /// or what an integer of that size cannot hold.
  ///
  /// The corresponding macro of PHP is `ZEND_HANDLE_NUMERIC_STR`.
  public init(canonical text: [UInt8], _ word: WordSize) {
    let number = text.count <= 20 ? Int64(String(decoding: text, as: UTF8.self)) : nil
    if let number, "\(number)".utf8.elementsEqual(text), word.holds(number) {
      self = .int(number)
    } else {
      self = .string(text)
    }
  }
}

/// The width of the integers of a PHP build: `zend_long`.
public enum WordSize: Int, Hashable, Sendable {
  case bits32 = 4
  case bits64 = 8

  /// 32 or 64.
  public var bits: Int { rawValue * 8 }

  /// Returns true when a build of this size can hold the number.
  public func holds(_ number: Int64) -> Bool { self == .bits64 || Int32(exactly: number) != nil }
}

extension PHPValue {
  /// The type that the first letter of a serialized text names: `null`, `bool`, `int`, `double`, `string`, `array`,
  /// `object`, `enum`, `reference`, or `unknown`.
  public static func typeName(of text: some Collection<UInt8>) -> String {
    switch text.first {
    case UInt8(ascii: "N"): "null"
    case UInt8(ascii: "b"): "bool"
    case UInt8(ascii: "i"): "int"
    case UInt8(ascii: "d"): "double"
    case UInt8(ascii: "s"), UInt8(ascii: "S"): "string"
    case UInt8(ascii: "a"): "array"
    case UInt8(ascii: "O"), UInt8(ascii: "C"): "object"
    case UInt8(ascii: "E"): "enum"
    case UInt8(ascii: "r"), UInt8(ascii: "R"): "reference"
    default: "unknown"
    }
  }

  /// True when an object or enum case is anywhere in it.
  public var holdsObjects: Bool {
    switch self {
    case .object: true
    case .array(let elements): elements.contains { $0.value.holdsObjects }
    default: false
    }
  }

  /// Returns true when every integer in it, keys included, fits a build of that word size.
  ///
  /// Objects are not looked into.
  public func fits(_ word: WordSize) -> Bool {
    switch self {
    case .int(let number): word.holds(number)
    case .array(let elements):
      elements.allSatisfy { element in
        if case .int(let number) = element.key, !word.holds(number) { return false }
        return element.value.fits(word)
      }
    default: true
    }
  }
}
