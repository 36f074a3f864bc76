import Synchronization

/// A resource that is bounded for each caller by itself, so that one leaves room for the others.
public enum CallerResource: Int, CaseIterable, Sendable {
  /// Leases, those whose slots cool down included.
  case leases
  /// Requests that wait: in queues, for PHP's guard, for a lock to change.
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
  public var setting: String { row.setting }

  /// The setting; the member of a problem that has the count, and what it is called; the advice beside an error.
  var row: (setting: String, member: String, words: String, advice: String) {
    switch self {
    case .leases: ("max-leases-per-caller", "leases", "leases", "release some, or let them expire")
    case .waiters: ("max-waiters-per-caller", "waiters", "waiters", "wait for one thing at a time")
    case .connections:
      ("max-connections-per-caller", "connections", "connections", "close some, or use one for many requests")
    case .streams:
      ("max-event-subscribers-per-caller", "event_subscribers", "open answers of /events", "follow once for many keys")
    case .operations:
      (
        "operation-waiters-per-caller", "operation_waiters", "raw operations that wait", "wait for one thing at a time"
      )
    case .locks:
      (
        "max-locks-per-caller", "locks", "locks",
        "use fewer names, or DELETE those that nobody needs; unused ones go by themselves (--idle-locks)"
      )
    case .segmentBytes:
      (
        "max-segment-bytes-per-caller", "segment_bytes", "bytes of segments", "remove some (DELETE /segments/{seg})"
      )
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
}

/// The use that all callers make of one resource.
public final class CallerPool: Sendable {
  let total: Int
  private let used = Atomic(0)
  /// The number of times that the limit of a caller was hit.
  private let limitHits = Atomic<UInt64>(0)

  init(total: Int) { self.total = min(max(0, total), Self.totalMax) }

  /// So many that 31 times as many can be counted.
  private static let totalMax = 1 << 56

  /// The number of times that the limit of a caller was hit, by any caller.
  public var hits: UInt64 { limitHits.load(ordering: .relaxed) }

  func noteHit() { limitHits.add(1, ordering: .relaxed) }

  @inline(__always)
  func add(_ number: Int) { used.wrappingAdd(number, ordering: .relaxed) }

  /// The rest that the others leave to a caller which has so many.
  @inline(__always)
  func leftByOthers(than count: Int) -> Int {
    total - min(max(0, used.load(ordering: .relaxed) &- count), total)
  }
}

/// The use that all callers make of each resource.
public struct CallerPools: Sendable {
  private var pools: [CallerPool]

  /// Pools of which no caller has anything yet.
  ///
  /// - Parameter totals: What the service has of each.
  public init(of totals: CallerMaxima) {
    pools = CallerResource.allCases.map { CallerPool(total: totals[$0]) }
  }

  /// The same pools, but one of its own for a resource that others do not take part in.
  public func separating(_ resource: CallerResource) -> CallerPools {
    var other = self
    other.pools[resource.rawValue] = CallerPool(total: self[resource].total)
    return other
  }

  /// The pool of one.
  public subscript(resource: CallerResource) -> CallerPool { pools[resource.rawValue] }
}

/// The bound of a caller's part of a resource.
enum CallerBound {
  case none
  /// A number, whatever others have.
  case fixed(Int)
  /// All but one of so many parts of what others leave, so that it shrinks as any callers fill the pool.
  case allButOne(ofParts: Int)
}

/// The kind of a caller: how far it can be told from others.
public enum CallerKind: Sendable {
  /// Root or the service's own user: they have everything without the service, and keep it going.
  case trusted
  /// All callers over loopback without a token: programs of many users may stand behind it.
  case host
  /// A token, another user of the Unix socket, an address of another host.
  case single

  /// The bound that was set; where that is 0, half of what others leave, or for a host's programs nearly all of it.
  ///
  /// So one caller alone has half, a second one a quarter, the next an eighth; a caller that has nothing may always
  /// have one, while there is one.
  func bound(of resource: CallerResource, _ countMax: Int, total: Int) -> CallerBound {
    switch self {
    case .trusted where resource == .connections: .none
    case _ where countMax == .max: .none
    case _ where countMax > 0: .fixed(countMax)
    case .trusted: .none
    // So few are for tests, and for operators who know what they set.
    case .host where total < 64: .none
    case .host: .allButOne(ofParts: 32)
    case .single: .allButOne(ofParts: 2)
    }
  }
}
