import Leasehold
import SysVTypes

extension Call {
  /// The captured segment as a set: `0x7c4a`, `31818`, `-559038737` or `id:98`.
  func setAddress() throws(LeaseholdError) -> IPCAddress {
    let decoded = percentDecoded(target.segment, plusIsSpace: false)
    let text = decoded.map { String(decoding: $0, as: UTF8.self) } ?? ""
    if text.hasPrefix("id:"), let id = Int32(text.dropFirst(3)), id >= 0, text.dropFirst(3).first != "+" {
      return .id(id)
    }
    switch IPCKey.read(text) {
    case .malformed:
      throw LeaseholdError(
        .badKey, "A set is named by its key (0x7c4a or 31818) or by id:NUMBER, as GET /semaphores lists it.",
        facts: [("parameter", .text("set")), ("value", .text(text.excerpt))])
    case .zero:
      throw LeaseholdError(
        .outOfRange, "Key 0 is IPC_PRIVATE and names no set; use id:NUMBER, as GET /semaphores lists it.",
        facts: [("parameter", .text("set")), ("value", .text(text))])
    case .key(let key): return .key(key.rawValue)
    case .tooWide: throw .keyTooWide("set", text)
    }
  }

  /// The number behind the set; one that no set has where it is beyond all.
  var semaphoreNumber: Int { Int(String(decoding: target.last, as: UTF8.self)) ?? .max }

  /// The parameter `key` of a set to make: a SysV key, or `private` (0).
  func newSetKey() throws(LeaseholdError) -> Int32 {
    guard let text = arguments[.key] else {
      throw .missing(.key, "a SysV key such as 0x7c4a or 31818, or private for a set that only its id names")
    }
    if text == "private" { return 0 }
    switch IPCKey.read(text) {
    case .malformed: throw .invalid(.key, text, "must be a SysV key, 0x7c4a or 31818, or private")
    case .zero:
      throw LeaseholdError(
        .outOfRange, "Key 0 is IPC_PRIVATE; say key=private for a set that only its id names, or choose another key.",
        facts: [("parameter", .text("key")), ("value", .text(text.excerpt)), ("allowed_instead", .text("private"))])
    case .key(let key): return key.rawValue
    case .tooWide: throw .keyTooWide("key", text)
    }
  }

  /// The parameter `mode` as nine permission bits; `nil` when not given.
  func octalMode() throws(LeaseholdError) -> UInt16? {
    guard let text = arguments[.mode] else { return nil }
    guard !text.isEmpty, text.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x37 }) else {
      throw .invalid(.mode, text, "must be octal text, 0000...0777, as in 0600")
    }
    guard let mode = UInt16(text, radix: 8), mode <= 0o777 else {
      throw LeaseholdError(
        .outOfRange, "'mode' must be 0000...0777.",
        facts: [
          ("parameter", .text("mode")), ("value", .text(text.excerpt)), ("minimum", .text("0000")),
          ("maximum", .text("0777")),
        ])
    }
    return mode
  }

  /// A parameter that is true or false; false when not given.
  func flag(_ parameter: Parameter) throws(LeaseholdError) -> Bool { try word(parameter, ["true", "false"]) == "true" }

  /// The parameter `values`; `nil` when not given.
  func semaphoreValues() throws(LeaseholdError) -> [UInt16]? {
    guard let text = arguments[.values] else { return nil }
    guard !text.isEmpty else { throw .invalid(.values, text, "must hold one value for each semaphore") }
    var values: [UInt16] = []
    for (index, part) in text.split(separator: ",", omittingEmptySubsequences: false).enumerated() {
      values.append(try LeaseholdError.value(of: "values[\(index)]", String(part)))
    }
    return values
  }

  /// The parameter `ops`, at least one.
  func semaphoreSteps() throws(LeaseholdError) -> [SemaphoreOperation] {
    guard let text = arguments[.ops] else { throw .missing(.ops, "the operations, as in \(Parameter.ops.listExample)") }
    guard !text.isEmpty else { throw .invalid(.ops, text, "must hold at least one operation") }
    let parts = text.split(separator: ",", omittingEmptySubsequences: false)
    guard parts.count <= Limits.operations else {
      throw .outOfRange(.ops, "\(parts.count)", 1, Limits.operations).adding([("errno", .text("E2BIG"))])
    }
    var steps: [SemaphoreOperation] = []
    steps.reserveCapacity(parts.count)
    for (index, part) in parts.enumerated() { steps.append(try Self.step(part, index)) }
    return steps
  }

  /// `SEM:OP`, and behind it `:nowait` and `:undo` in any order.
  private static func step(_ text: Substring, _ index: Int) throws(LeaseholdError) -> SemaphoreOperation {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count >= 2, Set(parts[2...]).isSubset(of: ["nowait", "undo"]) else {
      throw .invalid(.ops, String(text), "must hold operations as SEM:OP, SEM:OP:nowait or SEM:OP:undo")
    }
    let semaphore = try LeaseholdError.whole("ops[\(index)].sem", parts[0], 0, 65_535, errno: "EFBIG")
    let delta = try LeaseholdError.whole("ops[\(index)].op", parts[1], -32_768, 32_767, errno: "ERANGE")
    var flags: SemaphoreOperation.Flags = parts[2...].contains("nowait") ? .nowait : []
    if parts[2...].contains("undo") { flags.insert(.undo) }
    return SemaphoreOperation(semaphore: UInt16(semaphore), delta: Int16(delta), flags: flags)
  }
}

extension LeaseholdError {
  /// A key of more than 32 bits.
  fileprivate static func keyTooWide(_ parameter: String, _ text: String) -> LeaseholdError {
    LeaseholdError(
      .outOfRange, "A SysV key has 32 bits: 0x0...0xffffffff, or -2147483648...4294967295.",
      facts: [
        ("parameter", .text(parameter)), ("value", .text(text.excerpt)), ("minimum", .number(Int64(Int32.min))),
        ("maximum", .number(Int64(UInt32.max))),
      ])
  }

  /// A semaphore's value.
  static func value(of parameter: String, _ text: String) throws(LeaseholdError) -> UInt16 {
    UInt16(try whole(parameter, text[...], 0, Limits.slots, errno: "ERANGE"))
  }

  /// A whole number that the kernel has a range for.
  fileprivate static func whole(
    _ parameter: String, _ text: Substring, _ minimum: Int, _ maximum: Int, errno: String
  ) throws(LeaseholdError) -> Int {
    let digits = text.hasPrefix("-") || text.hasPrefix("+") ? text.dropFirst() : text
    guard !digits.isEmpty, digits.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) else {
      throw LeaseholdError(
        .invalidParameter, "'\(parameter)' must be a whole number, \(minimum)...\(maximum).",
        facts: [("parameter", .text(parameter)), ("value", .text(String(text).excerpt))])
    }
    guard let value = Int(text), (minimum...maximum).contains(value) else {
      throw LeaseholdError(
        .outOfRange, "'\(parameter)' must be \(minimum)...\(maximum).",
        facts: [
          ("parameter", .text(parameter)), ("value", .text(String(text).excerpt)),
          ("minimum", .number(Int64(minimum))), ("maximum", .number(Int64(maximum))), ("errno", .text(errno)),
        ])
    }
    return value
  }
}
