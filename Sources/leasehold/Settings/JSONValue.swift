/// A JSON document as it stands in the file: numbers keep their digits, members their order and place.
indirect enum JSONValue: Sendable, Equatable {
  case null
  case bool(Bool)
  /// A number as it is written.
  case number(String)
  case string(String)
  case array([JSONValue])
  case object([JSONMember])

  /// What it is, for an error.
  var noun: String {
    switch self {
    case .null: "null"
    case .bool: "a truth value"
    case .number: "a number"
    case .string: "a string"
    case .array: "an array"
    case .object: "an object"
    }
  }
}

/// A name with its value, and the line of the name.
struct JSONMember: Sendable, Equatable {
  let name: String
  let value: JSONValue
  let line: Int
}

/// Text that is not JSON.
struct JSONError: Error, Equatable {
  /// What is wrong, in the words of a sentence's end.
  let reason: String
  /// From 1.
  let line: Int
  /// From 1, in bytes.
  let column: Int
}
