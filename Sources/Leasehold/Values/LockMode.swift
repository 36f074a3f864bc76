/// The way in which a holder shares a lock.
public enum LockMode: UInt8, Sendable {
  /// Alone (on a counting lock: `count` slots).
  case exclusive = 0
  /// Together with other readers.
  case shared = 1

  /// The word used in requests and answers.
  public var name: String { self == .exclusive ? "exclusive" : "shared" }
}

/// The kind of a lock, decided by the acquire that makes it.
public enum LockKind: Hashable, Sendable {
  /// One writer or many readers.
  case readersWriter
  /// `limit` slots, 1...32767.
  case counting(limit: Int)
  /// Slots whose number is not known, because a native program may have set it.
  case slots

  /// The word used in answers.
  public var name: String {
    switch self {
    case .readersWriter: "rw"
    case .counting, .slots: "counting"
    }
  }

  /// The slots of a counting lock; `nil` for readers and writers, and where it is not known.
  public var limit: Int? {
    if case .counting(let limit) = self { limit } else { nil }
  }
}

/// Why a lease ended.
public enum EndReason: UInt8, Sendable, CaseIterable {
  /// Its holder released it.
  case released = 0
  /// Its deadline passed.
  case expired = 1
  /// An operator ended it.
  case broken = 2
  /// The connection it was bound to closed.
  case connectionClosed = 3
  /// Its answer could not be handed to a live connection.
  case undelivered = 4
  /// The semaphore set below it was removed by another program.
  case setRemoved = 5
  /// Its lock was removed by `DELETE /locks/{key}` with force.
  case lockRemoved = 6
  /// The process it was bound to ended.
  case processExited = 7
  /// It goes on under another id.
  case transferred = 8
  /// Another program wrote the values that it stood on.
  case rewritten = 9
  /// The process it was bound to was not seen again after a restart: it may live or not.
  case processLost = 10

  /// The word used in answers as `reason`: that of the case but for the one that is called `ttl`.
  public var name: String { Self.names[Int(rawValue)] }

  private static let names = allCases.map { $0 == .expired ? "ttl" : words(of: $0, separator: "-") }
}

/// The name of a case, its words in lower case with something between them.
package func words(of value: some Any, separator: String) -> String {
  "\(value)".reduce(into: "") { $0 += $1.isUppercase ? separator + $1.lowercased() : "\($1)" }
}
