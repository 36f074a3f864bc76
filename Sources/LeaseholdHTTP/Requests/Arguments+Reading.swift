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
    guard Self.isWellEncoded(value) else {
      throw LeaseholdError(.malformedRequest, "A parameter's value has a broken percent-encoding; write % as %25.")
    }
    guard let decoded = percentDecoded(name, plusIsSpace: true) else {
      throw LeaseholdError(.malformedRequest, "A parameter's name has a broken percent-encoding; write % as %25.")
    }
    guard let parameter = Parameter(decoded), known.contains(parameter) else {
      throw LeaseholdError.unknownParameter(String(decoding: decoded.prefix(64), as: UTF8.self), known: known)
    }
    guard let text = Self.text(value) else {
      throw LeaseholdError.invalid(parameter, "", "must be UTF-8 text without NUL")
    }
    try note(parameter, text)
  }

  /// Returns true when every percent sign is followed by two hexadecimal digits.
  private static func isWellEncoded(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
    for (index, byte) in bytes.enumerated() where byte == UInt8(ascii: "%") {
      guard index + 2 < bytes.count, hexValue(bytes[index + 1]) != nil, hexValue(bytes[index + 2]) != nil else {
        return false
      }
    }
    return true
  }

  /// A decoded value; `nil` when it is not text.
  private static func text(_ bytes: UnsafeBufferPointer<UInt8>) -> String? {
    if !bytes.contains(where: { $0 == UInt8(ascii: "%") || $0 == UInt8(ascii: "+") || $0 == 0 }) {
      return String(utf8Bytes: bytes)
    }
    guard let decoded = percentDecoded(bytes, plusIsSpace: true), !decoded.contains(0) else { return nil }
    return String(validating: decoded, as: UTF8.self)
  }

  /// Reads the members of one JSON object.
  mutating func readJSON(_ bytes: UnsafeBufferPointer<UInt8>, known: ParameterSet) throws(LeaseholdError) {
    var reader = JSONScalarReader(bytes)
    do {
      while let member = try reader.next() {
        guard let parameter = Parameter(member.name.utf8), known.contains(parameter) else {
          if known.ignoresReadOnly, Self.readOnly.contains(member.name) {
            if case .nested = member.value { try reader.skip() }
            continue
          }
          throw LeaseholdError.unknownParameter(member.name, known: known)
        }
        switch (member.value, parameter.jsonKind) {
        case (.number(let text), .text) where parameter == .key && known.keyIsNumber: try note(parameter, text)
        case (.nested, .numbers), (.nested, .amounts): try note(parameter, try reader.numbers(parameter))
        case (.nested, .steps): try note(parameter, try reader.steps(parameter))
        case (.nested, .texts): try note(parameter, try reader.texts(parameter))
        case (.nested, .wants): try note(parameter, try reader.wants(parameter))
        default: try note(parameter, try Self.text(member.value, of: parameter))
        }
      }
    } catch let problem as LeaseholdError {
      throw problem
    } catch {
      let flaw = error as? JSONScalarReader.Flaw
      throw LeaseholdError.badJSON(flaw?.what ?? "a flaw", at: flaw?.offset ?? 0)
    }
  }
}

extension Arguments {
  /// The members that describe a set and cannot change it.
  private static let readOnly: Set<String> = [
    "key", "id", "cuid", "cgid", "nsems", "otime", "ctime", "otime_seconds", "ctime_seconds", "leasehold", "values",
    "semaphores", "held", "waiting", "holders", "waiters",
  ]

  /// A JSON value as the text that a query would have, if the parameter takes a value of its kind.
  static func text(_ value: JSONScalar, of parameter: Parameter) throws(LeaseholdError) -> String {
    switch (value, parameter.jsonKind) {
    case (.text(let text), .character):
      // As Perl's ftok has it: "5" is the character, 5 the number.
      guard text.utf8.count == 1, let code = text.utf8.first, code > 0 else {
        throw .invalid(parameter, text, "must be a number or a text of one character")
      }
      return String(code)
    case (.text(let text), _):
      guard !text.utf8.contains(0) else { throw .invalid(parameter, text, "must not hold NUL") }
      return text
    case (.number(let text), .number), (.number(let text), .character), (.number(let text), .amounts): return text
    case (.flag(let flag), .flag): return flag ? "true" : "false"
    case (.null, _): throw .invalid(parameter, "null", "must not be null; leave it out instead")
    case (.nested, .numbers), (.nested, .steps), (.nested, .amounts), (.nested, .texts), (.nested, .wants):
      throw .invalid(parameter, "", "must be a list, as in \(parameter.listExample)")
    case (.nested, _): throw .invalid(parameter, "", "must be a single value, not an object or a list")
    case (.number(let text), .numbers), (.number(let text), .steps):
      throw .invalid(parameter, text, "must be a list, as in \(parameter.listExample)")
    case (.number(let text), .flag): throw .invalid(parameter, text, "must be true or false, not a number")
    case (.number(let text), _): throw .invalid(parameter, text, "must be text, not a number")
    case (.flag(let flag), _): throw .invalid(parameter, "\(flag)", "must not be true or false")
    }
  }
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
