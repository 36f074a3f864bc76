import Leasehold

extension ParameterSet {
  /// The parameters of one lock of several.
  static let want: ParameterSet = [
    .key, .mode, .limit, .count, .perm, .semaphoreKey, .nsems, .project, .sem, .touch, .create, .value, .slots,
    .slot,
  ]
}

extension JSONScalarReader {
  /// A list of texts as `a,b`.
  mutating func texts(_ parameter: Parameter) throws -> String {
    var texts: [String] = []
    let isList = try list { reader, index in
      guard case .text(let text) = try reader.scalar(), !text.utf8.contains(0), !text.contains(",") else {
        throw LeaseholdError.invalid(parameter, "", "must hold texts alone; element \(index) is none")
      }
      texts.append(text)
    }
    guard isList else { throw LeaseholdError.invalid(parameter, "", "must be a list, as in \(parameter.listExample)") }
    return texts.joined(separator: ",")
  }

  /// A list of locks, as the form bodies that each would be, each behind a line feed: no name of a lock has one.
  mutating func wants(_ parameter: Parameter) throws -> String {
    var text = ""
    let isList = try list { reader, index in
      var form: [String] = []
      let isObject = try reader.object { reader, name in
        guard let member = Parameter(name.utf8), ParameterSet.want.contains(member) else {
          throw LeaseholdError.unknownParameter(name, known: .want).inWant(index)
        }
        do {
          form.append("\(member.name)=\(try reader.text(of: member).formEncoded)")
        } catch let problem as LeaseholdError {
          throw problem.inWant(index)
        }
      }
      guard isObject else {
        throw LeaseholdError.invalid(parameter, "", "must hold objects, as in \(parameter.listExample)").inWant(index)
      }
      text += "\n" + form.joined(separator: "&")
    }
    guard isList else { throw LeaseholdError.invalid(parameter, "", "must be a list, as in \(parameter.listExample)") }
    return text
  }

  private mutating func text(of member: Parameter) throws -> String {
    let value = try scalar()
    if case .nested = value, member.jsonKind == .amounts { return try numbers(member) }
    if case .nested = value, member.jsonKind == .texts { return try texts(member) }
    return try Arguments.text(value, of: member)
  }
}

extension LeaseholdError {
  /// The same, of one lock of several.
  func inWant(_ index: Int) -> LeaseholdError {
    adding([("want", .number(Int64(index)))], before: "want[\(index)]: ")
  }
}

extension String {
  /// Percent-encoded, for a form.
  fileprivate var formEncoded: String {
    var text: [UInt8] = []
    for byte in utf8 {
      switch byte {
      case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
        text.append(byte)
      default:
        text += (byte < 16 ? "%0" : "%").utf8
        text += String(byte, radix: 16).utf8
      }
    }
    return String(decoding: text, as: UTF8.self)
  }
}
