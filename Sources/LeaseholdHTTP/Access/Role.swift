/// What a caller may do; each role may do what those before it may.
enum Role: UInt8, Comparable, Sendable, CaseIterable {
  /// Nothing but what needs no token at all: `/healthz`, `/readyz` and `/docs`.
  case nobody
  /// Look: GET and HEAD.
  case read
  /// Take, renew and give back locks; write semaphores and variables.
  case lock
  /// Make and remove sets and segments, use force, and end what others hold.
  case admin

  /// The name in the file of tokens.
  var name: String {
    switch self {
    case .nobody: "nobody"
    case .read: "read"
    case .lock: "lock"
    case .admin: "admin"
    }
  }

  /// The role of a name in the file of tokens.
  init?(name: some StringProtocol) {
    guard let role = [Role.read, .lock, .admin].first(where: { $0.name == name }) else { return nil }
    self = role
  }

  static func < (left: Role, right: Role) -> Bool { left.rawValue < right.rawValue }
}

extension Endpoint {
  /// The least role that may call it: its row's, else what the method says.
  var neededRole: Role { role ?? (method == .get ? .read : .lock) }

  /// What a token whose keys are restricted must be allowed to name.
  enum Reach {
    /// Nothing that has a name.
    case service
    /// Leases, by an id or an owner: looked at when they are found.
    case lease
    /// The lock in the path.
    case lock
    /// A list, of which `key` must choose an allowed part.
    case list
    /// Semaphore sets, named like `sysv:` locks.
    case semaphores
    /// Segments and the variables in them, named `shm:` and the segment.
    case segments
  }

  /// What it can reach; without `default`, so that a new route must say it.
  var reach: Reach {
    switch route {
    case .acquire, .release, .renew, .convert, .hold, .lock, .key: .lock
    case .locks, .events: .list
    // What it releases is the caller's own; what it acquires is looked at lock by lock.
    case .leases: method == .get ? .list : .lease
    case .lease, .leaseRenew, .leaseBreak, .leaseTransfer: .lease
    case .semaphores, .semaphoreSet, .semaphore, .semaphoreValues, .semaphoreOp: .semaphores
    case .variables, .variable, .segments, .segment, .segmentBytes: .segments
    case .healthz, .readyz, .metrics, .version, .openapi, .docs, .problem, .index: .service
    }
  }

  /// Whether an answer may be long in coming, so that pages of other origins could use up connections with it.
  var mayStayOpen: Bool { parameters.contains(.wait) }
}
