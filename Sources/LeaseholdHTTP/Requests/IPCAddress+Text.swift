import Leasehold
import SysVTypes

/// A kind of object that the kernel finds by a key or by its number.
enum IPCObject: String {
  case set, segment

  /// Reads `0x7c4a`, `31818`, `-559038737` or `id:98`.
  func address(_ text: String) throws(LeaseholdError) -> IPCAddress {
    if text.hasPrefix("id:"), let id = Int32(text.dropFirst(3)), id >= 0, text.dropFirst(3).first != "+" {
      return .id(id)
    }
    let instead = "id:NUMBER, as GET \(self == .set ? "/semaphores" : "/segments") lists it"
    return .key(
      try Self.key(
        text, of: rawValue, malformed: "A \(rawValue) is named by its key (0x7c4a or 31818) or by \(instead).",
        zero: "names no \(rawValue); use \(instead).", facts: []))
  }

  /// Reads the key of an object to make; 0 for `private`.
  func newKey(_ text: String?) throws(LeaseholdError) -> Int32 {
    let form = "a SysV key such as 0x7c4a or 31818, or private for a \(rawValue) that only its id names"
    guard let text else { throw .missing(.key, form) }
    if text == "private" { return 0 }
    return try Self.key(
      text, of: "key", malformed: "'key' must be \(form).",
      zero: "names nothing; say key=private for a \(rawValue) that only its id names, or choose another key.",
      facts: [("allowed_instead", .text("private"))])
  }

  private static func key(
    _ text: String, of parameter: String, malformed: String, zero: String, facts: [LeaseholdError.Fact]
  ) throws(LeaseholdError) -> Int32 {
    let given: [LeaseholdError.Fact] = [("parameter", .text(parameter)), ("value", .text(text.excerpt))]
    switch IPCKey.read(text) {
    case .key(let key): return key.rawValue
    case .malformed: throw LeaseholdError(.badKey, malformed, facts: given)
    case .zero: throw LeaseholdError(.outOfRange, "Key 0 is IPC_PRIVATE and \(zero)", facts: given + facts)
    case .tooWide:
      throw LeaseholdError(
        .outOfRange, "A SysV key has 32 bits: 0x0...0xffffffff, or -2147483648...4294967295.",
        facts: given + [("minimum", .number(Int64(Int32.min))), ("maximum", .number(Int64(UInt32.max)))])
    }
  }
}

extension Call {
  /// The set of the path.
  func setInPath() throws(LeaseholdError) -> IPCAddress { try IPCObject.set.address(segmentText) }

  /// The segment of the path.
  func segmentInPath() throws(LeaseholdError) -> IPCAddress { try IPCObject.segment.address(segmentText) }

  /// The segment of the query; `nil` is the default one.
  func segmentArgument() throws(LeaseholdError) -> IPCAddress? {
    guard let text = arguments[.segment] else { return nil }
    return try IPCObject.segment.address(text)
  }

  /// A parameter that is a user or a group; `nil` when not given.
  func identity(_ parameter: Parameter) throws(LeaseholdError) -> UInt32? {
    try number(parameter, 0, Limits.identity).map(UInt32.init)
  }

  /// A parameter that is nine permission bits in octal; `nil` when not given.
  func permissionBits(_ parameter: Parameter = .mode) throws(LeaseholdError) -> UInt16? {
    guard let text = arguments[parameter] else { return nil }
    guard !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x37).contains($0) }) else {
      throw .invalid(parameter, text, "must be octal text, 0000...0777, as in 0600")
    }
    guard let bits = UInt16(text, radix: 8), bits <= 0o777 else {
      throw .outOfRange(parameter.name, text, .text("0000"), .text("0777"))
    }
    return bits
  }

  /// The variable of the path: PHP's integer, or a name.
  func variableKey() throws(LeaseholdError) -> VariableKey {
    guard let bytes = percentDecoded(target.segment, plusIsSpace: false), !bytes.isEmpty else {
      throw LeaseholdError(
        .badKey, "A variable is named by an integer or by a name, percent-encoded: /shm/42, /shm/counter.")
    }
    let digits = bytes.first == UInt8(ascii: "-") ? bytes.dropFirst() : bytes[...]
    if !digits.isEmpty, digits.allSatisfy({ (0x30...0x39).contains($0) }) {
      let text = String(decoding: bytes, as: UTF8.self)
      guard bytes.count <= LockKey.bytesMax, let number = Int64(text) else {
        throw .outOfRange("var", text, .number(.min), .number(.max), ", as PHP's integers are")
      }
      return .number(number)
    }
    guard bytes.count <= LockKey.bytesMax, let name = String(validating: bytes, as: UTF8.self),
      !name.hasControlCharacters
    else {
      throw LeaseholdError(
        .badKey, "A variable's name must be 1...\(LockKey.bytesMax) bytes of UTF-8 without control characters.",
        facts: [("parameter", .text("var")), ("value", .text(String(decoding: bytes, as: UTF8.self).excerpt))])
    }
    return .name(name)
  }
}
