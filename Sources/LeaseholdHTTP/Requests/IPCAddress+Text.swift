import Leasehold
import SysVTypes

extension IPCAddress {
  /// Reads `0x4c534800`, `1234`, `-559038737` or `id:98`; `nil` for anything else.
  ///
  /// Key 0 is read as well: it names nothing, and the error should say so.
  init?(_ text: String) {
    if text.hasPrefix("id:") {
      guard let id = Int32(text.dropFirst(3)), id >= 0, text.dropFirst(3).first != "+" else { return nil }
      self = .id(id)
    } else {
      guard let key = IPCKey(parsing: text) else { return nil }
      self = .key(key.rawValue)
    }
  }
}

extension Call {
  /// The segment of the path.
  func segmentInPath() throws(LeaseholdError) -> IPCAddress {
    let decoded = percentDecoded(target.segment, plusIsSpace: false)
    return try Self.address(decoded.map { String(decoding: $0, as: UTF8.self) } ?? "")
  }

  /// The segment of the query; `nil` is the default one.
  func segmentArgument() throws(LeaseholdError) -> IPCAddress? {
    guard let text = arguments[.segment] else { return nil }
    return try Self.address(text)
  }

  private static func address(_ text: String) throws(LeaseholdError) -> IPCAddress {
    guard let address = IPCAddress(text) else {
      throw LeaseholdError(
        .badKey, "A segment is named by its key (0x4c534800 or 1280526336) or by id:NUMBER, as GET /segments lists it.",
        facts: [("parameter", .text("segment")), ("value", .text(text.excerpt))])
    }
    guard address != .key(0) else {
      throw LeaseholdError(
        .outOfRange,
        "Key 0 is IPC_PRIVATE and names no segment; use id:NUMBER, or 'private' with POST /segments to make one.",
        facts: [("parameter", .text("segment")), ("value", .text(text))])
    }
    return address
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
        throw LeaseholdError(
          .outOfRange, "'var' must be \(Int64.min)...\(Int64.max), as PHP's integers are.",
          facts: [
            ("parameter", .text("var")), ("value", .text(text.excerpt)), ("minimum", .number(.min)),
            ("maximum", .number(.max)),
          ])
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
