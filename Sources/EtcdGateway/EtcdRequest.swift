internal import JSONText

// Requests to the gateway: bytes are in base64, numbers of 64 bits are texts, and what is zero or empty is left out.
extension JSON {
  static func base64(_ bytes: some Sequence<UInt8>) -> JSON { .string(Base64.encode(Array(bytes))) }

  static func int64(_ number: Int64) -> JSON? { number == 0 ? nil : .string("\(number)") }

  fileprivate static func list(_ elements: [JSON]) -> JSON? { elements.isEmpty ? nil : .array(elements) }
}

extension EtcdKeys {
  /// The first key that is meant, and the one behind the last; of several, only those that come later than `last`.
  fileprivate func bounds(after last: String? = nil) -> (first: JSON, end: JSON?) {
    let next = last.map { Array($0.utf8) + [0] }
    return switch self {
    case .one(let key): (.base64(key.utf8), nil)
    case .prefix(let prefix): (.base64(next ?? Array(prefix.utf8)), .base64(Self.end(of: prefix)))
    case .range(let start, let end): (.base64(next ?? Array(start.utf8)), .base64(end.utf8))
    }
  }

  /// The first key behind all that begin with it.
  private static func end(of prefix: String) -> [UInt8] {
    var end = Array(prefix.utf8)
    // The bytes of UTF-8 end before 0xff, so that the last one can always be counted up.
    precondition(!end.isEmpty)
    end[end.count - 1] += 1
    return end
  }

  /// The keys to follow from a revision on.
  func watch(from revision: Int64) -> JSON {
    let (first, end) = bounds()
    return ["create_request": ["key": first, "range_end": end, "start_revision": .int64(revision)]]
  }
}

extension EtcdRange {
  var json: JSON {
    let (first, end) = keys.bounds(after: after)
    let isByAge = end != nil && !isByKey
    return [
      "key": first, "range_end": end, "limit": .int64(Int64(limit)), "revision": .int64(revision),
      "min_create_revision": .int64(createdFrom),
      "sort_target": isByAge ? .string("CREATE") : nil, "sort_order": isByAge ? .string("ASCEND") : nil,
    ]
  }
}

extension EtcdCompare {
  fileprivate var json: JSON {
    let (first, end) = keys.bounds()
    let name =
      switch field {
      case .created: "create_revision"
      case .modified: "mod_revision"
      case .lease: "lease"
      }
    return [
      "target": .string(field.rawValue), "result": .string(relation.rawValue), "key": first, "range_end": end,
      // The gateway has to see which number is meant, zero too.
      name: .string("\(number)"),
    ]
  }
}

extension EtcdOperation {
  fileprivate var json: JSON {
    switch self {
    case .put(let key, let value, let lease):
      return ["request_put": ["key": .base64(key.utf8), "value": .base64(value), "lease": .int64(lease)]]
    case .move(let key, let lease):
      return ["request_put": ["key": .base64(key.utf8), "lease": .int64(lease), "ignore_value": .bool(true)]]
    case .delete(let keys):
      let (first, end) = keys.bounds()
      return ["request_delete_range": ["key": first, "range_end": end]]
    case .range(let range): return ["request_range": range.json]
    }
  }
}

extension EtcdTransaction {
  var json: JSON {
    [
      "compare": .list(guards.map(\.json)), "success": .list(then.map(\.json)),
      "failure": .list(otherwise.map(\.json)),
    ]
  }
}
