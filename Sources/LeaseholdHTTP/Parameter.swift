import Leasehold

/// The names that requests may use, in queries, forms and JSON bodies alike.
enum Parameter: UInt8, CaseIterable {
  case mode, limit, count, ttl, wait, maxWaiters, owner, bind, cooldown, format, lease, force, cursor, key, state
  case segment, fence, size, initialize, offset, length, uid, gid

  /// The name on the wire.
  var name: StaticString {
    switch self {
    case .mode: "mode"
    case .limit: "limit"
    case .count: "count"
    case .ttl: "ttl"
    case .wait: "wait"
    case .maxWaiters: "max_waiters"
    case .owner: "owner"
    case .bind: "bind"
    case .cooldown: "cooldown"
    case .format: "format"
    case .lease: "lease"
    case .force: "force"
    case .cursor: "cursor"
    case .key: "key"
    case .state: "state"
    case .segment: "segment"
    case .fence: "fence"
    case .size: "size"
    case .initialize: "init"
    case .offset: "offset"
    case .length: "length"
    case .uid: "uid"
    case .gid: "gid"
    }
  }

  /// What a JSON body may give for a parameter; text always does.
  enum JSONKind {
    case text, number, flag
  }

  /// What a JSON body may give for it.
  var jsonKind: JSONKind {
    switch self {
    case .limit, .count, .ttl, .wait, .maxWaiters, .cooldown, .key: .number
    case .fence, .size, .offset, .length, .uid, .gid: .number
    case .force, .initialize: .flag
    case .mode, .owner, .bind, .format, .lease, .cursor, .state, .segment: .text
    }
  }

  /// Finds a name by its bytes: length and first letter leave one candidate.
  init?(_ bytes: some Collection<UInt8>) {
    guard let first = bytes.first else { return nil }
    let candidate: Parameter
    switch (bytes.count, first) {
    case (3, UInt8(ascii: "t")): candidate = .ttl
    case (3, UInt8(ascii: "k")): candidate = .key
    case (3, UInt8(ascii: "u")): candidate = .uid
    case (3, UInt8(ascii: "g")): candidate = .gid
    case (4, UInt8(ascii: "i")): candidate = .initialize
    case (4, UInt8(ascii: "m")): candidate = .mode
    case (4, UInt8(ascii: "s")): candidate = .size
    case (4, UInt8(ascii: "w")): candidate = .wait
    case (4, UInt8(ascii: "b")): candidate = .bind
    case (5, UInt8(ascii: "l")): candidate = bytes.dropFirst().first == UInt8(ascii: "i") ? .limit : .lease
    case (5, UInt8(ascii: "c")): candidate = .count
    case (5, UInt8(ascii: "o")): candidate = .owner
    case (5, UInt8(ascii: "f")): candidate = bytes.dropFirst().first == UInt8(ascii: "o") ? .force : .fence
    case (5, UInt8(ascii: "s")): candidate = .state
    case (6, UInt8(ascii: "f")): candidate = .format
    case (6, UInt8(ascii: "c")): candidate = .cursor
    case (6, UInt8(ascii: "l")): candidate = .length
    case (6, UInt8(ascii: "o")): candidate = .offset
    case (7, UInt8(ascii: "s")): candidate = .segment
    case (8, UInt8(ascii: "c")): candidate = .cooldown
    case (11, UInt8(ascii: "m")): candidate = .maxWaiters
    default: return nil
    }
    var position = candidate.name.utf8Start
    for byte in bytes {
      guard position.pointee == byte else { return nil }
      position += 1
    }
    self = candidate
  }
}

/// A set of names, one bit each.
struct ParameterSet {
  var bits: UInt32

  init(_ parameters: Parameter...) { bits = parameters.reduce(0) { $0 | 1 << UInt32($1.rawValue) } }

  func contains(_ parameter: Parameter) -> Bool { bits & 1 << UInt32(parameter.rawValue) != 0 }

  /// The names, for an error.
  var names: [String] { Parameter.allCases.filter(contains).map { "\($0.name)" } }
}

/// The values that a request gave, as text, whichever way it gave them.
struct Arguments: ~Copyable {
  private var values: InlineArray<23, String?> = InlineArray(repeating: nil)

  subscript(parameter: Parameter) -> String? { values[Int(parameter.rawValue)] }

  /// Notes a value.
  ///
  /// The same name twice is fine as long as the values are equal.
  mutating func note(_ parameter: Parameter, _ value: String) throws(Problem) {
    if let before = values[Int(parameter.rawValue)], before != value {
      throw Problem(
        .duplicateParameter, "'\(parameter.name)' is given twice with different values; give it once.",
        facts: [("parameter", .text("\(parameter.name)"))])
    }
    values[Int(parameter.rawValue)] = value
  }

  /// Notes a name and a value as read from a query, a form or a body.
  mutating func note(
    name: some Collection<UInt8>, value: @autoclosure () -> String?, known: ParameterSet
  ) throws(Problem) {
    guard let parameter = Parameter(name), known.contains(parameter) else {
      throw Problem.unknownParameter(String(decoding: name.prefix(64), as: UTF8.self), known: known)
    }
    guard let value = value() else { throw Problem.invalid(parameter, "", "must be UTF-8 text without NUL") }
    try note(parameter, value)
  }
}
