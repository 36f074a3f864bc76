import Leasehold

/// The lists that a body may hold, as the text that a query would have: there is one way to read what they say.
extension JSONScalarReader {
  /// A list of whole numbers as `3,0,5`.
  mutating func numbers(_ parameter: Parameter) throws -> String {
    var text = ""
    let isList = try list { reader, index in
      guard case .number(let number) = try reader.scalar() else {
        throw LeaseholdError.invalid(parameter, "", "must hold whole numbers alone; element \(index) is none")
      }
      if index > 0 { text += "," }
      text += number
    }
    guard isList else { throw LeaseholdError.invalid(parameter, "", "must be a list, as in \(parameter.listExample)") }
    return text
  }

  /// A list of objects with `sem`, `op`, `nowait` and `undo` as `0:-1:nowait:undo,1:1`.
  mutating func steps(_ parameter: Parameter) throws -> String {
    var text = ""
    let isList = try list { reader, index in
      var step = StepMembers(parameter: parameter, index: index)
      let isObject = try reader.object { reader, name in try step.note(name, try reader.scalar()) }
      guard isObject else {
        throw LeaseholdError.invalid(parameter, "", "must hold objects, as in \(parameter.listExample)")
      }
      if index > 0 { text += "," }
      text += try step.text()
    }
    guard isList else { throw LeaseholdError.invalid(parameter, "", "must be a list, as in \(parameter.listExample)") }
    return text
  }
}

/// The members of one operation as they are read.
private struct StepMembers {
  let parameter: Parameter
  let index: Int
  private var semaphore: String?
  private var delta: String?
  private var nowait: Bool?
  private var undo: Bool?

  init(parameter: Parameter, index: Int) {
    self.parameter = parameter
    self.index = index
  }

  mutating func note(_ name: String, _ value: JSONScalar) throws(LeaseholdError) {
    switch (name, value) {
    case ("sem", .number(let text)): try note(text, name, in: \.semaphore)
    case ("op", .number(let text)): try note(text, name, in: \.delta)
    case ("nowait", .flag(let flag)): try note(flag, name, in: \.nowait)
    case ("undo", .flag(let flag)): try note(flag, name, in: \.undo)
    case ("sem", _), ("op", _): throw flaw(name, "must be a whole number")
    case ("nowait", _), ("undo", _): throw flaw(name, "must be true or false")
    default:
      throw flaw(name.excerpt, "is not known; an operation has sem, op, nowait and undo", .unknownParameter)
        .adding([("known", .texts(["sem", "op", "nowait", "undo"]))])
    }
  }

  private mutating func note<Value: Equatable>(
    _ value: Value, _ name: String, in member: WritableKeyPath<StepMembers, Value?>
  ) throws(LeaseholdError) {
    if let before = self[keyPath: member], before != value {
      throw flaw(name, "is given twice with different values", .duplicateParameter)
    }
    self[keyPath: member] = value
  }

  func text() throws(LeaseholdError) -> String {
    guard let semaphore else { throw flaw("sem", "is missing: the semaphore's number", .missingParameter) }
    guard let delta else { throw flaw("op", "is missing: what to add, or 0 to wait for zero", .missingParameter) }
    return "\(semaphore):\(delta)" + (nowait == true ? ":nowait" : "") + (undo == true ? ":undo" : "")
  }

  private func flaw(_ name: String, _ what: String, _ code: LeaseholdError.Code = .invalidParameter) -> LeaseholdError {
    let whole = "\(parameter.name)[\(index)].\(name)"
    return LeaseholdError(code, "'\(whole)' \(what).", facts: [("parameter", .text(whole))])
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
