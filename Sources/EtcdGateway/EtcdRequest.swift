internal import JSONText

/// A request to the gateway as JSON.
struct EtcdRequest {
  private(set) var bytes: [UInt8] = []

  /// Writes an object with members.
  init(_ body: (inout EtcdRequest) -> Void) {
    bytes.reserveCapacity(512)
    object(nil, body)
  }

  mutating func object(_ name: StaticString?, _ body: (inout EtcdRequest) -> Void) {
    begin(name)
    bytes.append(UInt8(ascii: "{"))
    body(&self)
    bytes.append(UInt8(ascii: "}"))
  }

  mutating func list<Element>(
    _ name: StaticString, _ elements: [Element], _ body: (inout EtcdRequest, Element) -> Void
  ) {
    guard !elements.isEmpty else { return }
    begin(name)
    bytes.append(UInt8(ascii: "["))
    for element in elements { object(nil) { body(&$0, element) } }
    bytes.append(UInt8(ascii: "]"))
  }

  mutating func text(_ name: StaticString, _ text: String) {
    begin(name)
    bytes.appendQuoted(text)
  }

  /// Writes a number of 64 bits; zero is left out.
  mutating func number(_ name: StaticString, _ number: Int64) {
    if number != 0 { text(name, "\(number)") }
  }

  mutating func flag(_ name: StaticString) {
    begin(name)
    bytes += "true".utf8
  }

  mutating func base64(_ name: StaticString, _ text: String) {
    var text = text
    text.withUTF8 { base64(name, $0) }
  }

  mutating func base64(_ name: StaticString, _ value: [UInt8]) { value.withUnsafeBufferPointer { base64(name, $0) } }

  private mutating func base64(_ name: StaticString, _ value: UnsafeBufferPointer<UInt8>) {
    begin(name)
    bytes.append(UInt8(ascii: "\""))
    Base64.append(value, to: &bytes)
    bytes.append(UInt8(ascii: "\""))
  }

  /// Writes which keys are meant; of several, only those that come later than `last`.
  mutating func keys(_ keys: EtcdKeys, after last: String? = nil) {
    let next = last.map { Array($0.utf8) + [0] }
    switch keys {
    case .one(let key): base64("key", key)
    case .prefix(let prefix):
      base64("key", next ?? Array(prefix.utf8))
      base64("range_end", Self.end(of: prefix))
    case .range(let start, let end):
      base64("key", next ?? Array(start.utf8))
      base64("range_end", end)
    }
  }

  /// The first key behind all that begin with it.
  static func end(of prefix: String) -> [UInt8] {
    var end = Array(prefix.utf8)
    // The bytes of UTF-8 end before 0xff, so that the last one can always be counted up.
    precondition(!end.isEmpty)
    end[end.count - 1] += 1
    return end
  }

  mutating func range(_ range: EtcdRange) {
    keys(range.keys, after: range.after)
    number("limit", Int64(range.limit))
    number("revision", range.revision)
    number("min_create_revision", range.createdFrom)
    if range.keysOnly { flag("keys_only") }
    if case .one = range.keys { return }
    guard range.order == .created else { return }
    text("sort_target", "CREATE")
    text("sort_order", "ASCEND")
  }

  mutating func compare(_ compare: EtcdCompare) {
    text("target", compare.field.rawValue)
    text("result", compare.relation.rawValue)
    keys(compare.keys)
    let name: StaticString =
      switch compare.field {
      case .created: "create_revision"
      case .modified: "mod_revision"
      case .lease: "lease"
      }
    // The gateway has to see which number is meant, zero too.
    text(name, "\(compare.number)")
  }

  mutating func operation(_ operation: EtcdOperation) {
    switch operation {
    case .put(let key, let value, let lease):
      object("request_put") {
        $0.base64("key", key)
        $0.base64("value", value)
        $0.number("lease", lease)
      }
    case .move(let key, let lease):
      object("request_put") {
        $0.base64("key", key)
        $0.number("lease", lease)
        $0.flag("ignore_value")
      }
    case .delete(let keys): object("request_delete_range") { $0.keys(keys) }
    case .range(let range): object("request_range") { $0.range(range) }
    }
  }

  mutating func transaction(_ transaction: EtcdTransaction) {
    list("compare", transaction.guards) { $0.compare($1) }
    list("success", transaction.then) { $0.operation($1) }
    list("failure", transaction.otherwise) { $0.operation($1) }
  }

  /// Writes what parts members and elements, and the name of a member.
  private mutating func begin(_ name: StaticString?) {
    if let last = bytes.last, last != UInt8(ascii: "{"), last != UInt8(ascii: "["), last != UInt8(ascii: ":") {
      bytes.append(UInt8(ascii: ","))
    }
    guard let name else { return }
    // All names are ours: nothing is to be escaped.
    bytes.append(UInt8(ascii: "\""))
    bytes.append(contentsOf: UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
    bytes.append(contentsOf: "\":".utf8)
  }
}
