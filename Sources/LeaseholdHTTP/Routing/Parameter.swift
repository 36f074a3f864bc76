import Leasehold

/// The names that requests may use, in queries, forms and JSON bodies alike.
enum Parameter: UInt8, CaseIterable {
  case mode, limit, count, ttl, wait, maxWaiters, owner, bind, cooldown, format, lease, force, cursor, key, state
  case nsems, values, exclusive, uid, gid, value, ops
  case perm, semaphoreKey, project, sem, touch, undo
  case segment, fence, size, `init`, offset, length
  case holding, want
  case after, reason
  case kind, since, leases, note, holdAtLeast, early
  case sort, q
  case resize, pinned, slots, slot, create, newest
  case stop, grace

  /// The name on the wire: that of the case, its words in lower case with underscores between them.
  var name: String { Self.names[Int(rawValue)] }

  private static let names = allCases.map { words(of: $0, separator: "_") }

  /// The kind of value that a JSON body may give for a parameter; text always does.
  enum JSONKind {
    case text, number, flag
    /// A number, or the code of a text's only character.
    case character
    /// A number, or a list of numbers; as text `3` or `3,0,5`.
    case amounts
    /// A list of whole numbers; as text `3,0,5`.
    case numbers
    /// A list of semaphore operations; as text `0:-1:nowait,1:1`.
    case steps
    /// A list of texts; as text `a,b`.
    case texts
    /// A list of locks, each an object; as text their names, `a,b`.
    case wants

    /// True when it may be a list.
    var isList: Bool {
      switch self {
      case .amounts, .numbers, .steps, .texts, .wants: true
      case .text, .number, .flag, .character: false
      }
    }
  }

  /// The kind of value that a JSON body may give for it.
  var jsonKind: JSONKind {
    switch self {
    case .limit: .amounts
    case .count, .ttl, .wait, .maxWaiters, .cooldown, .semaphoreKey, .nsems, .sem, .uid, .gid, .value,
      .fence, .size, .offset, .length, .after, .holdAtLeast, .grace:
      .number
    case .force, .early, .exclusive, .touch, .undo, .`init`, .resize, .pinned, .create: .flag
    case .values: .numbers
    case .ops: .steps
    case .project: .character
    case .holding, .leases, .slots, .slot: .texts
    case .want: .wants
    case .mode, .owner, .bind, .format, .lease, .cursor, .key, .state, .perm, .segment, .reason, .kind, .since, .sort,
      .q, .note, .newest, .stop:
      .text
    }
  }

  /// Finds a name by its bytes.
  init?(_ bytes: UnsafeBufferPointer<UInt8>) {
    guard !bytes.isEmpty else { return nil }
    var place = Self.place(of: bytes)
    while let candidate = Self.places[place] {
      if UnsafeRawBufferPointer(bytes).hasBytes(of: UnsafeRawBufferPointer(candidate.name)) {
        self = candidate.parameter
        return
      }
      place = (place + 1) & 0xff
    }
    return nil
  }

  /// Finds a name by bytes that lie elsewhere.
  init?(_ bytes: some Collection<UInt8>) {
    guard let found = Array(bytes).withUnsafeBufferPointer({ Self($0) }) else { return nil }
    self = found
  }

  /// All of them, each at the place of its name, or behind those whose names have the same; the names are never freed.
  private nonisolated(unsafe) static let places = {
    var places = [(name: UnsafeBufferPointer<UInt8>, parameter: Parameter)?](repeating: nil, count: 256)
    for parameter in allCases {
      let name = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: parameter.name.utf8.count)
      _ = name.initialize(from: parameter.name.utf8)
      var place = place(of: UnsafeBufferPointer(name))
      while places[place] != nil { place = (place + 1) & 0xff }
      places[place] = (UnsafeBufferPointer(name), parameter)
    }
    return places
  }()

  /// The place of a name by its length and three of its bytes, with factors that keep the names apart.
  private static func place(of name: UnsafeBufferPointer<UInt8>) -> Int {
    let count = name.count
    return (Int(name[0]) &+ 12 &* Int(name[count / 2]) &+ Int(name[count &- 1]) &+ 2 &* count) & 0xff
  }
}

/// A set of names, one bit each.
struct ParameterSet: ExpressibleByArrayLiteral {
  private(set) var bits: UInt64
  /// True when `key` is a SysV key, which JSON may give as a number too.
  let keyIsNumber: Bool
  /// True when a JSON body may hold what `GET /semaphores/{set}` answers beside what can be changed.
  let ignoresReadOnly: Bool

  init(_ parameters: [Parameter], keyIsNumber: Bool = false, ignoresReadOnly: Bool = false) {
    bits = parameters.reduce(0) { $0 | 1 << UInt64($1.rawValue) }
    self.keyIsNumber = keyIsNumber
    self.ignoresReadOnly = ignoresReadOnly
  }

  init(arrayLiteral parameters: Parameter...) { self.init(parameters) }

  /// One name, without an array: for the plain path.
  @inline(__always)
  init(_ parameter: Parameter) { self.init(bits: 1 << UInt64(parameter.rawValue)) }

  /// A set and one more name, whose bits the compiler knows: for the plain path, too.
  @inline(__always)
  static func | (set: ParameterSet, parameter: Parameter) -> ParameterSet {
    ParameterSet(bits: set.bits | 1 << UInt64(parameter.rawValue))
  }

  @inline(__always)
  private init(bits: UInt64) { (self.bits, keyIsNumber, ignoresReadOnly) = (bits, false, false) }

  /// The empty set, without an array.
  static var none: ParameterSet { ParameterSet(bits: 0) }

  mutating func insert(_ parameter: Parameter) { bits |= 1 << UInt64(parameter.rawValue) }

  static func + (left: ParameterSet, right: ParameterSet) -> ParameterSet {
    ParameterSet(bits: left.bits | right.bits)
  }

  func contains(_ parameter: Parameter) -> Bool { bits & 1 << UInt64(parameter.rawValue) != 0 }

  /// The names, for an error.
  var names: [String] { Parameter.allCases.filter(contains).map(\.name) }
}

/// The values that a request gave, as text, whichever way it gave them.
///
/// A plain value stays where libmicrohttpd read it and becomes a string when it is read; so this must not outlive
/// the request.
struct Arguments: ~Copyable {
  /// The names that were given.
  private(set) var given = ParameterSet.none
  /// Those of them that lie in the query as they are.
  private var plain = ParameterSet.none
  /// Where the query begins.
  private var base: UnsafePointer<UInt8>?
  /// Offset and length of each plain value, in two bytes each.
  private let places: UnsafeMutablePointer<UInt32>?
  private var decoded: [(parameter: Parameter, text: String)] = []

  /// The number of places that the memory must have.
  static let capacity = Parameter.allCases.count

  /// An empty list of values; plain ones are noted in the connection's memory, which has one request at a time.
  ///
  /// A table inside would be copied by every look at it. Without memory all values become strings.
  init(over places: UnsafeMutablePointer<UInt32>? = nil) { self.places = places }

  @inline(__always)
  subscript(parameter: Parameter) -> String? { given.contains(parameter) ? text(of: parameter) : nil }

  /// Returns true when it was given.
  @inline(__always)
  func has(_ parameter: Parameter) -> Bool { given.contains(parameter) }

  /// Returns true when one of several was given.
  @inline(__always)
  func has(anyOf parameters: ParameterSet) -> Bool { given.bits & parameters.bits != 0 }

  @inline(never)
  private func text(of parameter: Parameter) -> String? {
    if let bytes = plainBytes(parameter) { return String(ascii: bytes) }
    return decoded.first { $0.parameter == parameter }?.text
  }

  /// A value's bytes, where it is ASCII that needed no decoding.
  @inline(__always)
  func plainBytes(_ parameter: Parameter) -> UnsafeBufferPointer<UInt8>? {
    guard plain.contains(parameter), let base, let places else { return nil }
    let place = places[Int(parameter.rawValue)]
    return UnsafeBufferPointer(start: base + Int(place >> 16), count: Int(place & 0xffff))
  }

  /// Says where plain values lie: the first form counts, the values of another are kept as strings.
  mutating func begin(_ form: UnsafeBufferPointer<UInt8>) {
    if base == nil { base = form.baseAddress }
  }

  /// Notes a value.
  ///
  /// The same name twice is fine as long as the values are equal.
  mutating func note(_ parameter: Parameter, _ value: String) throws(LeaseholdError) {
    guard try isNew(parameter, value) else { return }
    given.insert(parameter)
    decoded.append((parameter, value))
  }

  /// Notes a value of ASCII bytes that mean themselves.
  mutating func note(_ parameter: Parameter, plain value: UnsafeBufferPointer<UInt8>) throws(LeaseholdError) {
    guard let places, let base, let start = value.baseAddress, !value.isEmpty, (0..<0x10000).contains(start - base),
      value.count < 0x10000
    else { return try note(parameter, String(decoding: value, as: UTF8.self)) }
    if has(parameter), try !isNew(parameter, String(ascii: value)) { return }
    given.insert(parameter)
    plain.insert(parameter)
    places[Int(parameter.rawValue)] = UInt32(start - base) << 16 | UInt32(value.count)
  }

  /// False when the parameter has this very value already.
  private func isNew(_ parameter: Parameter, _ value: @autoclosure () -> String) throws(LeaseholdError) -> Bool {
    guard let before = self[parameter] else { return true }
    guard before == value() else {
      throw LeaseholdError(
        .duplicateParameter, "'\(parameter.name)' is given twice with different values; give it once.",
        facts: [("parameter", .text(parameter.name))])
    }
    return false
  }
}
