/// The keys that are meant.
package enum EtcdKeys: Sendable, Hashable {
  /// This one.
  case one(String)
  /// All that begin with this, which must not be empty.
  case prefix(String)
  /// From the first up to, and without, the end.
  case range(String, end: String)
}

/// A condition; on several keys it must hold for each that is there.
///
/// All numbers of a key that is not there are zero.
package struct EtcdCompare: Sendable, Equatable {
  /// A number that etcd keeps of a key.
  package enum Field: String, Sendable {
    case created = "CREATE"
    case modified = "MOD"
    case lease = "LEASE"
  }

  /// The relation that the number must have to ours.
  package enum Relation: String, Sendable {
    case equal = "EQUAL"
    case less = "LESS"
    case greater = "GREATER"
  }

  package var keys: EtcdKeys
  package var field: Field
  package var relation: Relation
  package var number: Int64

  /// Compares a number of keys with ours.
  package init(_ field: Field, of keys: EtcdKeys, _ relation: Relation, _ number: Int64) {
    (self.keys, self.field, self.relation, self.number) = (keys, field, relation, number)
  }
}

/// A question for keys and their values.
package struct EtcdRange: Sendable, Equatable {
  package var keys: EtcdKeys
  /// True for the order of the keys, in which etcd reads no more than the limit; else the oldest come first, and it
  /// reads all to find them.
  package var isByKey = false
  /// Only keys that come later than this one; `nil` for all.
  package var after: String?
  /// The most entries; 0 for all.
  package var limit = 0
  /// The state to look at; 0 for the newest.
  package var revision: Int64 = 0
  /// Only what was created at this revision or later; 0 for all.
  package var createdFrom: Int64 = 0

  /// All of it, newest.
  package init(_ keys: EtcdKeys) { self.keys = keys }
}

/// A step of a transaction.
package enum EtcdOperation: Sendable, Equatable {
  /// Writes a key; lease 0 for none.
  case put(String, value: [UInt8], lease: Int64)
  /// Puts a key that is there on another lease; its value stays.
  case move(String, lease: Int64)
  case delete(EtcdKeys)
  case range(EtcdRange)
}

/// Several steps at one revision: these if all guards hold, else those.
package struct EtcdTransaction: Sendable, Equatable {
  package var guards: [EtcdCompare]
  package var then: [EtcdOperation]
  package var otherwise: [EtcdOperation]

  /// Makes a transaction; at most 128 of each by etcd's default.
  package init(if guards: [EtcdCompare], then: [EtcdOperation], else otherwise: [EtcdOperation] = []) {
    (self.guards, self.then, self.otherwise) = (guards, then, otherwise)
  }

  /// True where one of its branches writes.
  package var isChange: Bool {
    (then + otherwise).contains { if case .range = $0 { false } else { true } }
  }
}

/// A key with what etcd knows of it.
package struct EtcdEntry: Sendable, Equatable {
  package var key: String
  package var value: [UInt8] = []
  /// The revision at which it came to be.
  package var created: Int64 = 0
  /// The revision of its last write.
  package var modified: Int64 = 0
  /// 0 for none.
  package var lease: Int64 = 0
}

/// The findings of a question.
package struct EtcdListing: Sendable, Equatable {
  package var entries: [EtcdEntry] = []
  /// True where the limit cut it.
  package var hasMore = false
  /// The state of the store that answered.
  package var revision: Int64 = 0
}

/// The result of a transaction.
package struct EtcdOutcome: Sendable {
  /// True where the guards held.
  package var isDone: Bool
  /// The revision that it wrote, or at which it found its guards broken.
  package var revision: Int64
  /// The listings of the ranges of the branch that was run, in order.
  package var listings: [EtcdListing]
  /// True where an earlier attempt may have been carried out too.
  package var isRepeat = false
}
