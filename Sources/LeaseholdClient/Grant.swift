internal import LeaseholdHost

/// The mode in which a lock is taken.
public enum LeaseMode: String, Sendable {
  /// Alone.
  case exclusive
  /// Beside others that share.
  case shared
}

/// A thing whose end ends a lease, before its deadline.
public enum Binding: Sendable, Equatable {
  /// The end of the connection that it was asked for over.
  case connection
  /// The end of a process; over a Unix socket.
  case process(Int32)
  /// The end of the last process of the caller's cgroup, or of the one with this path; over a Unix socket.
  case cgroup(String?)
  /// One that a later service may know.
  case other(String)

  /// Reads the text of the service.
  public init(_ text: String) {
    if text == "connection" {
      self = .connection
    } else if text.hasPrefix("pid:"), let number = Int32(text.dropFirst(4)) {
      self = .process(number)
    } else if text == "cgroup" || text.hasPrefix("cgroup:") {
      self = .cgroup(text == "cgroup" ? nil : String(text.dropFirst(7)))
    } else {
      self = .other(text)
    }
  }

  /// The text of the service: `connection`, `pid:N`, `cgroup` or `cgroup:PATH`.
  public var text: String {
    switch self {
    case .connection: "connection"
    case .process(let number): "pid:\(number)"
    case .cgroup(let path): "cgroup" + (path.map { ":" + $0 } ?? "")
    case .other(let text): text
    }
  }
}

/// One of the locks that a lease is wanted on.
public struct Want: Sendable, Equatable, ExpressibleByStringLiteral {
  /// The lock's name.
  public var key: String
  /// Alone or shared.
  public var mode: LeaseMode
  /// The slots of a counting lock; `nil` for a readers-writer lock, or whatever the name stands for.
  public var slots: Int?
  /// Slots to take at once, all or none.
  public var count: Int?
  /// The names of all slots, in place of their number; empty for slots that are alike.
  public var names: [String] = []
  /// The names of the slots to take; empty for any.
  public var slot: [String] = []
  /// Makes the set of a name like `sysv:0x51.0` where there is none.
  public var create = false
  /// With ``create``, the value of each semaphore of the set; `nil` for 1.
  public var value: Int?

  /// Wants a lock.
  public init(_ key: String, mode: LeaseMode = .exclusive, slots: Int? = nil, count: Int? = nil) {
    (self.key, self.mode, self.slots, self.count) = (key, mode, slots, count)
  }

  /// Wants a lock alone.
  public init(stringLiteral key: String) { self.init(key) }

  /// Wants a lock beside others who share it.
  public static func shared(_ key: String) -> Want { Want(key, mode: .shared) }

  /// Wants some of so many slots of a counting lock.
  public static func slots(_ key: String, _ slots: Int, count: Int? = nil) -> Want {
    Want(key, slots: slots, count: count)
  }

  /// Wants some slots of a counting lock whose slots have names; `slot` are those to take, empty for any.
  public static func slots(_ key: String, named names: [String], slot: [String] = [], count: Int? = nil) -> Want {
    var want = Want(key, count: count)
    (want.names, want.slot) = (names, slot)
    return want
  }

  /// Wants a name like `sysv:0x51.0`, whose set is made where there is none, each semaphore with a value.
  public static func creating(_ key: String, value: Int? = nil) -> Want {
    var want = Want(key)
    (want.create, want.value) = (true, value)
    return want
  }

  /// - Throws: ``ClientError/invalid(_:parameter:)``.
  func check() throws(ClientError) {
    guard !key.isEmpty else { throw .invalid("the name of a lock is not empty", parameter: "key") }
    guard mode == .exclusive || (slots == nil && names.isEmpty) else {
      throw .invalid("a lock with slots cannot be shared", parameter: "slots")
    }
    for (name, number) in [("slots", slots), ("count", count), ("value", value)] {
      guard (1...32767).contains(number ?? 1) else { throw .invalid("it is from 1 to 32767", parameter: name) }
    }
    for name in names + slot where name.isEmpty || name.contains(",") {
      throw .invalid("the name of a slot is not empty and has no comma", parameter: "slot")
    }
  }

  /// The members of a request beside its name.
  private var options: JSON {
    [
      "mode": mode == .shared ? .string(mode.rawValue) : nil, "limit": slots.map { .number($0) },
      "slots": names.isEmpty ? nil : .string(names.joined(separator: ",")),
      "slot": slot.isEmpty ? nil : .string(slot.joined(separator: ",")), "count": count.map { .number($0) },
      "create": create ? .string("1") : nil, "value": value.map { .number($0) },
    ]
  }

  fileprivate var query: [(String, String)] { options.members.map { ($0.name, $0.value.string ?? "\($0.value)") } }

  /// Several as a request says them.
  package static func list(_ wants: [Want]) -> JSON {
    .array(wants.map { .object([JSON.Member("key", .string($0.key))] + $0.options.members) })
  }
}

/// The options of a lease.
public struct LeaseOptions: Sendable {
  /// Time until the lease ends unless it is renewed; `nil`: the service's default.
  public var ttl: Duration?
  /// The time to queue while others hold the lock; zero does not wait.
  public var wait: Duration = .zero
  /// The holder in words for people; shown to every caller, at most 128 bytes.
  public var label: String?
  /// The holder's own words for what it does, shown to everybody, at most 128 bytes.
  public var note: String?
  /// The group of which this is the newest: those of the group that wait for the lock are ended, and those that hold it
  /// are asked to yield.
  public var newest: String?
  /// The binding that ends the lease besides.
  public var binding: Binding?
  /// The time for which the slot stays taken after the lease expires or is broken.
  public var cooldown: Duration?
  /// The time from the grant on for which the slot stays taken even when the lease is released or ends earlier.
  public var holdAtLeast: Duration?
  /// Stop the process that the lease is bound to before the lock goes on: the time from TERM to KILL.
  public var stopGrace: Duration?
  /// Ids of leases that are kept meanwhile: when waiting for this one would never end, that is an error at once.
  public var holding: [String] = []

  /// The service's default ttl, without waiting.
  public init() {}

  /// The request for one lock, or for several on one lease.
  ///
  /// - Parameter verb: `acquire` or `hold`, of one lock.
  public func request(for wants: [Want], verb: String = "acquire") -> Request {
    if wants.count == 1 { return Request("POST", ["locks", wants[0].key, verb], query: wants[0].query + timing) }
    let members = [JSON.Member("want", Want.list(wants))] + timing.map { JSON.Member($0.0, .string($0.1)) }
    return Request("POST", ["leases"], json: .object(members))
  }

  private var timing: [(String, String)] {
    let all: KeyValuePairs = [
      "ttl": ttl?.wireText, "wait": wait > .zero ? wait.wireText : nil, "owner": label, "note": note, "newest": newest,
      "bind": binding?.text, "cooldown": cooldown?.wireText, "stop": stopGrace == nil ? nil : "term",
      "grace": stopGrace?.wireText, "hold_at_least": holdAtLeast?.wireText,
      "holding": holding.isEmpty ? nil : holding.joined(separator: ","),
    ]
    return all.compactMap { name, value in value.map { (name, $0) } }
  }
}

/// A lease as one answer of the service tells it; ``Lease`` is one that is kept.
public struct Grant: Sendable, Equatable {
  /// Its secret name: a program that has it may renew and release.
  public let id: String
  /// Its short name, for listings and logs.
  public var ref: String { json["ref"].string ?? String(id.prefix(10)) }
  /// The locks it holds; one, but for leases of several.
  public var keys: [String] {
    json["key"].string.map { [$0] } ?? json["locks"].elements.compactMap { $0["key"].string }
  }
  /// Grows with every grant: send it along with each write that must not come late.
  public var fence: Int64 {
    json["fence"].int ?? json["locks"].elements.compactMap { $0["fence"].int }.max() ?? 0
  }
  /// The names of its slots, on locks whose slots have names.
  public var slots: [String] { GrantedLock.list(json).flatMap(\.slots) }
  /// Time from a renewal to the end; `nil` where only its binding ends it.
  public var ttl: Duration? { json["ttl_ms"].int.flatMap { $0 > 0 ? .milliseconds($0) : nil } }
  /// The whole answer.
  public let json: JSON

  /// The deadline of a grant on the clock of the sendings (rule 22): never later than the service's, however late its
  /// answer came; `nil` where no clock ends it.
  package func deadline(sentFirst first: Int64, last: Int64) -> Int64? {
    guard let ttl = ttl?.wholeNanoseconds else { return nil }
    // Milliseconds may have been rounded up.
    let waited = max(0, (json["waited_ms"].int ?? 0) - 1) * 1_000_000
    let left = (json["expires_in_ms"].int ?? 0) * 1_000_000
    // The service granted it no sooner than so long after the first sending, and told what was left after the last.
    return max(first + waited + ttl, last + left)
  }

  /// Reads an answer of acquire, renew or `POST /leases`.
  public init?(json: JSON) {
    guard let id = json["lease"].string, !id.isEmpty else { return nil }
    (self.id, self.json) = (id, json)
  }
}

extension Duration {
  /// The duration as the service reads it: whole milliseconds, rounded up.
  public var wireText: String { "\((wholeNanoseconds + 999_999) / 1_000_000)ms" }
}
