import JSONText
import Leasehold

extension Arguments {
  /// Reads `name=value&name=value`, percent-encoded, as in a query or a form body.
  mutating func readForm(_ bytes: UnsafeBufferPointer<UInt8>, known: ParameterSet) throws(LeaseholdError) {
    begin(bytes)
    var start = 0
    while start < bytes.count {
      let end = bytes.position(of: UInt8(ascii: "&"), from: start)
      if end > start { try readPair(bytes.part(start, end), known: known) }
      start = end &+ 1
    }
  }

  @inline(__always)
  private mutating func readPair(_ pair: UnsafeBufferPointer<UInt8>, known: ParameterSet) throws(LeaseholdError) {
    let split = pair.position(of: UInt8(ascii: "="))
    let value = pair.part(min(split &+ 1, pair.count), pair.count)
    let name = pair.part(0, split)
    if let parameter = Parameter(name), known.contains(parameter), UnsafeRawBufferPointer(value).isPlainForm {
      return try note(parameter, plain: value)
    }
    guard let text = percentDecoded(value, plusIsSpace: true) else {
      throw LeaseholdError(.malformedRequest, "A parameter's value has a broken percent-encoding; write % as %25.")
    }
    guard let decoded = percentDecoded(name, plusIsSpace: true) else {
      throw LeaseholdError(.malformedRequest, "A parameter's name has a broken percent-encoding; write % as %25.")
    }
    guard let parameter = Parameter(decoded), known.contains(parameter) else {
      throw LeaseholdError.unknownParameter(String(decoding: decoded.prefix(64), as: UTF8.self), known: known)
    }
    guard !text.contains(0), let text = String(validating: text, as: UTF8.self) else {
      throw LeaseholdError.invalid(parameter, "", "must be UTF-8 text without NUL")
    }
    try note(parameter, text)
  }

  /// Reads the members of one JSON object.
  mutating func readJSON(_ bytes: UnsafeBufferPointer<UInt8>, known: ParameterSet) throws(LeaseholdError) {
    var reader = JSONMemberReader(bytes)
    do {
      while let name = try reader.next() {
        guard let parameter = try Self.parameter(name, known) else {
          _ = try reader.value()
          continue
        }
        if reader.isNested, !parameter.jsonKind.isList {
          throw LeaseholdError.invalid(parameter, "", "must be a single value, not an object or a list")
        }
        try note(parameter, try Self.text(try reader.value(), of: parameter, known))
      }
    } catch let problem as LeaseholdError {
      throw problem
    } catch {
      let flaw = error as? JSONMemberReader.Flaw
      throw LeaseholdError.badJSON(flaw?.what ?? "a flaw", at: flaw?.offset ?? 0)
    }
  }

  /// Reads members that were read already.
  mutating func read(_ members: [JSON.Member], known: ParameterSet) throws(LeaseholdError) {
    for member in members {
      guard let parameter = try Self.parameter(member.name, known) else { continue }
      try note(parameter, try Self.text(member.value, of: parameter, known))
    }
  }

  /// The parameter of a member's name; `nil` for what is passed over.
  private static func parameter(_ name: String, _ known: ParameterSet) throws(LeaseholdError) -> Parameter? {
    if let parameter = Parameter(name.utf8), known.contains(parameter) { return parameter }
    guard known.ignoresReadOnly, readOnly.contains(name) else { throw .unknownParameter(name, known: known) }
    return nil
  }

  /// The members that describe a set and cannot change it.
  private static let readOnly: Set<String> = [
    "key", "id", "cuid", "cgid", "nsems", "otime", "ctime", "otime_seconds", "ctime_seconds", "leasehold", "values",
    "semaphores", "held", "waiting", "holders", "waiters",
  ]
}

/// Decodes `%xx` (and `+` where it means a space); `nil` when a percent sign is not followed by two hexadecimal digits.
func percentDecoded(_ bytes: UnsafeBufferPointer<UInt8>, plusIsSpace: Bool) -> [UInt8]? {
  var decoded: [UInt8] = []
  decoded.reserveCapacity(bytes.count)
  var index = 0
  while index < bytes.count {
    let byte = bytes[index]
    if byte == UInt8(ascii: "%") {
      guard index + 2 < bytes.count, let high = hexValue(bytes[index + 1]), let low = hexValue(bytes[index + 2]) else {
        return nil
      }
      decoded.append(high << 4 | low)
      index += 3
    } else {
      decoded.append(plusIsSpace && byte == UInt8(ascii: "+") ? 0x20 : byte)
      index += 1
    }
  }
  return decoded
}

private func hexValue(_ byte: UInt8) -> UInt8? {
  switch byte {
  case 0x30...0x39: byte - 0x30
  case 0x41...0x46: byte - 0x37
  case 0x61...0x66: byte - 0x57
  default: nil
  }
}
