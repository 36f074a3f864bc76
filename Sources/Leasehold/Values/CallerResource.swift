/// What is bounded for each caller by itself, so that one leaves room for the others.
public enum CallerResource: Int, CaseIterable, Sendable {
  /// Leases, those whose slots cool down included.
  case leases
  /// Requests that queue for locks.
  case waiters
  /// Open connections.
  case connections
  /// Open answers of `/events`.
  case streams
  /// Raw operations that wait in the kernel.
  case operations
  /// Locks that it made and that are known still, used or not.
  case locks
  /// Bytes of segments that it made.
  case segmentBytes

  /// The setting, without its dashes.
  public var setting: String {
    switch self {
    case .leases: "max-leases-per-caller"
    case .waiters: "max-waiters-per-caller"
    case .connections: "max-connections-per-caller"
    case .streams: "max-event-subscribers-per-caller"
    case .operations: "operation-waiters-per-caller"
    case .locks: "max-locks-per-caller"
    case .segmentBytes: "max-segment-bytes-per-caller"
    }
  }

  /// The member of a problem that has the count, and what it is called.
  var name: (member: String, words: String) {
    switch self {
    case .leases: ("leases", "leases")
    case .waiters: ("waiters", "waiters")
    case .connections: ("connections", "connections")
    case .streams: ("event_subscribers", "open answers of /events")
    case .operations: ("operation_waiters", "raw operations that wait")
    case .locks: ("locks", "locks")
    case .segmentBytes: ("segment_bytes", "bytes of segments")
    }
  }

  /// What to do.
  var advice: String {
    switch self {
    case .leases: "release some, or let them expire"
    case .waiters: "wait for one thing at a time"
    case .connections: "close some, or use one for many requests"
    case .streams: "follow once for many keys"
    case .operations: "wait for one thing at a time"
    case .locks: "use fewer names, or DELETE those that nobody needs; unused ones go by themselves (--idle-locks)"
    case .segmentBytes: "remove some (DELETE /segments/{seg})"
    }
  }
}

/// A number for each resource.
public struct CallerMaxima: Sendable, Equatable {
  private var numbers: [Int]

  /// The same number for all.
  public init(_ number: Int) { numbers = Array(repeating: number, count: CallerResource.allCases.count) }

  /// The number for one.
  public subscript(resource: CallerResource) -> Int {
    get { numbers[resource.rawValue] }
    set { numbers[resource.rawValue] = newValue }
  }

  /// As many as there are.
  public static let none = CallerMaxima(.max)

  /// What a caller may have where nothing was set (0): its kind's share of what there is.
  ///
  /// - Parameter totals: What the service has of each.
  public func resolved(for kind: CallerKind, of totals: CallerMaxima) -> CallerMaxima {
    var resolved = self
    for resource in CallerResource.allCases where self[resource] == 0 {
      resolved[resource] = kind.share(of: totals[resource])
    }
    if kind == .trusted { resolved[.connections] = .max }
    return resolved
  }
}

/// How far a caller can be told from others.
public enum CallerKind: Sendable {
  /// Root or the service's own user: they have everything without the service, and keep it going.
  case trusted
  /// Everybody who comes over loopback without a token: programs of many users may stand behind it.
  case host
  /// A token, another user of the Unix socket, an address of another host.
  case single

  /// Two single callers leave nothing over, a host's programs nearly all.
  func share(of total: Int) -> Int {
    switch self {
    case .trusted: .max
    case .host: total < 64 ? .max : total - total / 32
    case .single: max(1, total / 2)
    }
  }
}
