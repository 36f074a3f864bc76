internal import LeaseholdHost

/// The mode in which a lock is taken.
public enum LeaseMode: String, Sendable {
  /// Alone.
  case exclusive
  /// Beside others that share.
  case shared
}

/// The options of a lease.
public struct LeaseOptions: Sendable {
  /// Alone or shared.
  public var mode = LeaseMode.exclusive
  /// The slots of a counting lock; `nil` for a readers-writer lock, or whatever the name stands for.
  public var limit: Int?
  /// The names of all slots, in place of their number; empty for slots that are alike.
  public var slots: [String] = []
  /// The names of slots to take.
  public var slot: [String] = []
  /// Slots to take at once, all or none.
  public var count: Int?
  /// Time until the lease ends unless it is renewed; `nil`: the service's default.
  public var ttl: Duration?
  /// The time to queue while others hold the lock; zero does not wait.
  public var wait: Duration = .zero
  /// The holder in words for people; shown to everybody, at most 128 bytes.
  public var label: String?
  /// The binding that ends the lease besides: `connection`, or `pid:N` over a Unix socket.
  public var binding: String?
  /// The time for which the slot stays taken after the lease expires or is broken.
  public var cooldown: Duration?
  /// Do not queue when that many wait already.
  public var waitersMax: Int?
  /// Ids of leases that are kept meanwhile: when waiting for this one would never end, that is an error at once.
  public var holding: [String] = []
  /// The trace that the acquire is a part of, as a header `traceparent` (W3C Trace Context): the service's log and its
  /// events name it.
  public var traceparent: String?

  /// Exclusive, the service's default ttl, without waiting.
  public init() {}

  /// The parameters as the service knows them.
  public var query: [(String, String)] {
    var query: [(String, String)] = []
    if mode == .shared { query.append(("mode", mode.rawValue)) }
    if let limit { query.append(("limit", "\(limit)")) }
    if !slots.isEmpty { query.append(("slots", slots.joined(separator: ","))) }
    if !slot.isEmpty { query.append(("slot", slot.joined(separator: ","))) }
    if let count { query.append(("count", "\(count)")) }
    if let ttl { query.append(("ttl", ttl.wireText)) }
    if wait > .zero { query.append(("wait", wait.wireText)) }
    if let label { query.append(("owner", label)) }
    if let binding { query.append(("bind", binding)) }
    if let cooldown { query.append(("cooldown", cooldown.wireText)) }
    if !holding.isEmpty { query.append(("holding", holding.joined(separator: ","))) }
    if let waitersMax { query.append(("max_waiters", "\(waitersMax)")) }
    return query
  }
}

/// A lease that was granted.
public struct Lease: Sendable, Equatable {
  /// Its secret name: who has it may renew and release.
  public let id: String
  /// Its short name, for listings and logs.
  public let ref: String
  /// The locks it holds; one, but for leases of several.
  public let keys: [String]
  /// Grows with every grant: send it along with each write that must not come late.
  public let fence: Int64
  /// Time from a renewal to the end; `nil` where only its binding ends it.
  public let ttl: Duration?
  /// When it ends: nanoseconds of CLOCK_MONOTONIC of the service's host; `nil` where no clock ends it.
  public let deadline: Int64?
  /// The whole answer.
  public let json: JSON

  /// Reads an answer of acquire, renew or `POST /leases`.
  public init?(json: JSON) {
    guard let id = json["lease"].string, !id.isEmpty else { return nil }
    self.id = id
    ref = json["ref"].string ?? String(id.prefix(10))
    let several = json["locks"].elements.compactMap { $0["key"].string }
    keys = json["key"].string.map { [$0] } ?? several
    let fences = json["locks"].elements.compactMap { $0["fence"].int }
    fence = json["fence"].int ?? fences.max() ?? 0
    ttl = json["ttl_ms"].int.flatMap { $0 > 0 ? .milliseconds($0) : nil }
    deadline = json["deadline_monotonic_ns"].int
    self.json = json
  }

  /// When to renew at the latest: a third of the ttl from `now`; `nil` where no clock ends it.
  func renewal(after now: Int64) -> Int64? { ttl.map { now + $0.wholeNanoseconds / 3 } }
}

/// A lock as listings show it.
public struct LockState: Sendable {
  /// Its name.
  public let key: String
  /// `rw` or `counting`.
  public let kind: String
  /// Slots; `nil` for a readers-writer lock.
  public let limit: Int64?
  /// Free slots; `nil` where nobody can know.
  public let available: Int64?
  /// Leases on it.
  public let held: Int64
  /// The number of requests that wait for it.
  public let waiting: Int64
  /// All that the service says.
  public let json: JSON

  init(json: JSON) {
    key = json["key"].string ?? ""
    kind = json["kind"].string ?? ""
    limit = json["limit"].int
    available = json["available"].int
    held = json["held"].int ?? 0
    waiting = json["waiting"].int ?? 0
    self.json = json
  }
}

extension Duration {
  /// The duration as the service reads it: whole milliseconds, rounded up.
  public var wireText: String { "\((wholeNanoseconds + 999_999) / 1_000_000)ms" }
}
