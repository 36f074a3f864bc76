import Leasehold
import SysVTypes

extension Call {
  /// The number behind the set; one that no set has where it is beyond all.
  var semaphoreNumber: Int { Int(String(decoding: target.last, as: UTF8.self)) ?? .max }

  /// A parameter that is true or false; false when not given.
  func flag(_ parameter: Parameter) throws(LeaseholdError) -> Bool { try word(parameter, ["true", "false"]) == "true" }

  /// The parameter `values`; `nil` when not given.
  func semaphoreValues() throws(LeaseholdError) -> [UInt16]? {
    guard let text = arguments[.values] else { return nil }
    guard !text.isEmpty else { throw .invalid(.values, text, "must hold one value for each semaphore") }
    let parts = text.split(separator: ",", omittingEmptySubsequences: false)
    return try parts.enumerated().map { index, part throws(LeaseholdError) in
      try LeaseholdError.value(of: "values[\(index)]", String(part))
    }
  }

  /// The parameter `ops`, at least one.
  func semaphoreSteps() throws(LeaseholdError) -> [SemaphoreOperation] {
    guard let text = arguments[.ops] else { throw .missing(.ops, "the operations, as in \(Parameter.ops.listExample)") }
    guard !text.isEmpty else { throw .invalid(.ops, text, "must hold at least one operation") }
    let parts = text.split(separator: ",", omittingEmptySubsequences: false)
    guard parts.count <= Limits.operations else {
      throw .outOfRange(.ops, "\(parts.count)", 1, Limits.operations).adding([("errno", .text("E2BIG"))])
    }
    return try parts.enumerated().map { index, part throws(LeaseholdError) in try Self.step(part, index) }
  }

  /// `SEM:OP`, and behind it `:nowait` and `:undo` in any order.
  private static func step(_ text: Substring, _ index: Int) throws(LeaseholdError) -> SemaphoreOperation {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count >= 2, Set(parts[2...]).isSubset(of: ["nowait", "undo"]) else {
      throw .invalid(.ops, String(text), "must hold operations as SEM:OP, SEM:OP:nowait or SEM:OP:undo")
    }
    let semaphore = try LeaseholdError.kernelNumber("ops[\(index)].sem", parts[0], 0, 65_535, errno: "EFBIG")
    let delta = try LeaseholdError.kernelNumber("ops[\(index)].op", parts[1], -32_768, 32_767, errno: "ERANGE")
    var flags: SemaphoreOperation.Flags = parts[2...].contains("nowait") ? .nowait : []
    if parts[2...].contains("undo") { flags.insert(.undo) }
    return SemaphoreOperation(semaphore: UInt16(semaphore), delta: Int16(delta), flags: flags)
  }
}

extension LeaseholdError {
  /// A semaphore's value.
  static func value(of parameter: String, _ text: String) throws(LeaseholdError) -> UInt16 {
    UInt16(try kernelNumber(parameter, text[...], 0, Limits.slots, errno: "ERANGE"))
  }

  /// A whole number that the kernel has a range for.
  fileprivate static func kernelNumber(
    _ parameter: String, _ text: Substring, _ minimum: Int, _ maximum: Int, errno: String
  ) throws(LeaseholdError) -> Int {
    do throws(LeaseholdError) {
      return try whole(parameter, text, minimum, maximum, signs: "+-")
    } catch {
      throw error.code == .outOfRange ? error.adding([("errno", .text(errno))]) : error
    }
  }

  /// A whole number.
  static func whole(
    _ name: String, _ text: Substring, _ minimum: Int, _ maximum: Int, signs: String = "-"
  ) throws(LeaseholdError) -> Int {
    let digits = text.first.map(signs.contains) == true ? text.dropFirst() : text
    guard !digits.isEmpty, digits.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) else {
      throw .invalid(name, String(text), "must be a whole number, \(minimum)...\(maximum)")
    }
    guard let value = Int(text), (minimum...maximum).contains(value) else {
      throw .outOfRange(name, String(text), .number(Int64(minimum)), .number(Int64(maximum)))
    }
    return value
  }
}
