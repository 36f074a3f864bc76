import JSONText
import Leasehold

/// The values of a body as the text that a query would have: there is one way to read what that says.
extension Arguments {
  /// A JSON value as text, if the parameter takes a value of its kind.
  static func text(
    _ value: JSON, of parameter: Parameter, _ known: ParameterSet = .none
  ) throws(LeaseholdError) -> String {
    switch (value, parameter.jsonKind) {
    case (.string(let text), .character):
      // As Perl's ftok has it: "5" is the character, 5 the number.
      guard text.utf8.count == 1, let code = text.utf8.first, code > 0 else {
        throw .invalid(parameter, text, "must be a number or a text of one character")
      }
      return String(code)
    case (.string(let text), _):
      guard !text.utf8.contains(0) else { throw .invalid(parameter, text, "must not hold NUL") }
      return text
    case (.number(let text), .number), (.number(let text), .character), (.number(let text), .amounts):
      return JSON.whole(text)
    case (.number(let text), .text) where parameter == .key && known.keyIsNumber: return JSON.whole(text)
    case (.bool(let flag), .flag): return flag ? "true" : "false"
    case (.array(let list), .numbers), (.array(let list), .amounts): return try numbers(list, parameter)
    case (.array(let list), .steps): return try steps(list, parameter)
    case (.array(let list), .texts): return try texts(list, parameter)
    case (.array(let list), .wants):
      if let index = list.firstIndex(where: { if case .object = $0 { false } else { true } }) {
        throw .invalid(parameter, "", "must hold objects, as in \(parameter.listExample)").inWant(index)
      }
      // As it is, behind a line feed, which no name of a lock has.
      return "\n\(value)"
    case (.null, _): throw .invalid(parameter, "null", "must not be null; leave it out instead")
    case (.number(let text), .numbers), (.number(let text), .steps):
      throw .invalid(parameter, text, "must be a list, as in \(parameter.listExample)")
    case (.array, _), (.object, _):
      throw .invalid(
        parameter, "",
        parameter.jsonKind.isList
          ? "must be a list, as in \(parameter.listExample)" : "must be a single value, not an object or a list")
    case (.number(let text), .flag): throw .invalid(parameter, text, "must be true or false, not a number")
    case (.number(let text), _): throw .invalid(parameter, text, "must be text, not a number")
    case (.bool(let flag), _): throw .invalid(parameter, "\(flag)", "must not be true or false")
    }
  }

  /// A list of whole numbers as `3,0,5`.
  private static func numbers(_ list: [JSON], _ parameter: Parameter) throws(LeaseholdError) -> String {
    try list.enumerated().map { index, element throws(LeaseholdError) in
      guard case .number(let number) = element else {
        throw .invalid(parameter, "", "must hold whole numbers alone; element \(index) is none")
      }
      return JSON.whole(number)
    }.joined(separator: ",")
  }

  /// A list of texts as `a,b`.
  private static func texts(_ list: [JSON], _ parameter: Parameter) throws(LeaseholdError) -> String {
    if let index = list.firstIndex(where: { $0.string?.utf8.contains { $0 == 0 || $0 == UInt8(ascii: ",") } ?? true }) {
      throw .invalid(parameter, "", "must hold texts alone; element \(index) is none")
    }
    return list.compactMap(\.string).joined(separator: ",")
  }

  /// A list of objects with `sem`, `op`, `nowait` and `undo` as `0:-1:nowait:undo,1:1`.
  private static func steps(_ list: [JSON], _ parameter: Parameter) throws(LeaseholdError) -> String {
    try list.enumerated().map { index, element throws(LeaseholdError) in
      guard case .object(let members) = element else {
        throw .invalid(parameter, "", "must hold objects, as in \(parameter.listExample)")
      }
      return try step(members, "\(parameter.name)[\(index)]")
    }.joined(separator: ",")
  }

  private static func step(_ members: [JSON.Member], _ place: String) throws(LeaseholdError) -> String {
    func flaw(_ name: String, _ what: String, _ code: LeaseholdError.Code = .invalidParameter) -> LeaseholdError {
      LeaseholdError(code, "'\(place).\(name)' \(what).", facts: [("parameter", .text("\(place).\(name)"))])
    }
    var given: [String: JSON] = [:]
    for member in members {
      var value = member.value
      switch (member.name, value) {
      case ("sem", .number(let text)), ("op", .number(let text)): value = .number(JSON.whole(text))
      case ("nowait", .bool), ("undo", .bool): break
      case ("sem", _), ("op", _): throw flaw(member.name, "must be a whole number")
      case ("nowait", _), ("undo", _): throw flaw(member.name, "must be true or false")
      default:
        throw flaw(
          member.name.excerpt, "is not known; an operation has sem, op, nowait and undo", .unknownParameter
        ).adding([("known", .texts(["sem", "op", "nowait", "undo"]))])
      }
      if let before = given.updateValue(value, forKey: member.name), before != value {
        throw flaw(member.name, "is given twice with different values", .duplicateParameter)
      }
    }
    guard case .number(let semaphore)? = given["sem"] else {
      throw flaw("sem", "is missing: the semaphore's number", .missingParameter)
    }
    guard case .number(let delta)? = given["op"] else {
      throw flaw("op", "is missing: what to add, or 0 to wait for zero", .missingParameter)
    }
    let flags = ["nowait", "undo"].filter { given[$0] == .bool(true) }.map { ":" + $0 }
    return "\(semaphore):\(delta)" + flags.joined()
  }
}

extension LeaseholdError {
  /// The same, of one lock of several.
  func inWant(_ index: Int) -> LeaseholdError {
    adding([("want", .number(Int64(index)))], before: "want[\(index)]: ")
  }
}

extension Parameter {
  /// An example of a list.
  var listExample: String {
    switch self {
    case .ops: #"[{"sem":0,"op":-1}], or 0:-1 as text"#
    case .want: #"[{"key":"a"},{"key":"b","mode":"shared"}], or a,b as text"#
    case .holding, .leases: #"["LEASE","LEASE"], or LEASE,LEASE as text"#
    case .slots, .slot: #"["gpu0","gpu1"], or gpu0,gpu1 as text"#
    default: "[3,0,5], or 3,0,5 as text"
    }
  }
}
