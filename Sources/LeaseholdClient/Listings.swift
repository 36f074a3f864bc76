extension LeaseholdClient {
  /// The locks that the service knows, all pages of them.
  ///
  /// - Throws: ``ClientError``.
  public func locks(prefix: String? = nil) async throws(ClientError) -> [LockState] {
    try await list("locks", prefix.map { [("key", $0)] } ?? []).map { LockState(json: $0) }
  }

  /// The leases that are held; they have no ids, only refs.
  ///
  /// - Parameters:
  ///   - owner: Only those of this owner.
  ///   - prefix: Only those on locks whose names begin so.
  /// - Throws: ``ClientError``.
  public func leases(
    owner: String? = nil, prefix: String? = nil
  ) async throws(ClientError) -> [LeaseState] {
    let query = (owner.map { [("owner", $0)] } ?? []) + (prefix.map { [("key", $0)] } ?? [])
    return try await list("leases", query).map { LeaseState(json: $0) }
  }

  /// The semaphore sets of the host.
  ///
  /// - Throws: ``ClientError``.
  public func semaphores() async throws(ClientError) -> [SemaphoreSet] {
    try await list("semaphores", []).map { SemaphoreSet(json: $0) }
  }

  /// One lock with its holders and waiters; ``Problem/code`` is `no-such-lock` when there is none.
  ///
  /// - Throws: ``ClientError``.
  public func lock(_ key: String) async throws(ClientError) -> LockState {
    LockState(json: try await send(Request("GET", ["locks", key])).json)
  }

  /// Gives a counting lock another number of slots, even while it is in use; 0 pauses it.
  ///
  /// - Parameters:
  ///   - names: The names of all slots, in place of their number.
  ///   - isPinned: Keeps it, whatever number callers ask for from now on.
  /// - Throws: ``ClientError``.
  @discardableResult public func resize(
    _ key: String, to slots: Int = 0, named names: [String] = [], isPinned: Bool = false
  ) async throws(ClientError) -> LockState {
    let said = names.isEmpty ? [("limit", "\(slots)")] : [("slots", names.joined(separator: ","))]
    let pinned = isPinned ? [("pinned", "true")] : []
    let request = Request("PUT", ["locks", key], query: said + [("resize", "true")] + pinned)
    return LockState(json: try await send(request).json)
  }

  /// Ends another holder's lease; the holder is told why.
  ///
  /// - Parameters:
  ///   - ref: Its ``LeaseState/ref``.
  ///   - reason: For people.
  ///   - delay: How long the holder keeps it still.
  /// - Throws: ``ClientError``.
  public func end(
    lease ref: String, because reason: String? = nil, after delay: Duration? = nil
  ) async throws(ClientError) {
    let query = (reason.map { [("reason", $0)] } ?? []) + (delay.map { [("after", $0.wireText)] } ?? [])
    _ = try await send(Request("POST", ["leases", ref, "break"], query: query))
  }

  private func list(_ name: String, _ query: [(String, String)]) async throws(ClientError) -> [JSON] {
    var all: [JSON] = []
    var cursor: String?
    repeat {
      let page = [("limit", "1000")] + (cursor.map { [("cursor", $0)] } ?? [])
      let answer = try await send(Request("GET", [name], query: query + page)).json
      all += answer[name].elements
      cursor = answer["next_cursor"].string
    } while cursor != nil
    return all
  }
}

/// A lock as listings show it.
public struct LockState: Sendable {
  /// Its name.
  public let key: String
  /// `rw` or `counting`.
  public let kind: String
  /// Slots; `nil` for a readers-writer lock.
  public let limit: Int64?
  /// Free slots; `nil` where that cannot be known.
  public let available: Int64?
  /// Leases on it.
  public let held: Int64
  /// The number of requests that wait for it.
  public let waiting: Int64
  /// The leases on it, where one lock was asked for.
  public let holders: [LeaseState]
  /// All that the service says.
  public let json: JSON

  init(json: JSON) {
    key = json["key"].string ?? ""
    kind = json["kind"].string ?? ""
    limit = json["limit"].int
    available = json["available"].int
    held = json["held"].int ?? 0
    waiting = json["waiting"].int ?? 0
    holders = json["holders"].elements.map { LeaseState(json: $0) }
    self.json = json
  }
}

/// A lease as listings show it, without the secret to end it with.
public struct LeaseState: Sendable, Equatable {
  /// Its short name.
  public let ref: String
  /// The locks it holds; none among the holders of one lock.
  public let keys: [String]
  /// Alone or shared.
  public let mode: LeaseMode
  /// Slots.
  public let count: Int64
  /// The number of the grant.
  public let fence: Int64
  /// The holder in its own words.
  public let owner: String?
  /// A thing whose end ends it, before its deadline.
  public let binding: Binding?
  /// Time left; `nil` where no clock ends it.
  public let remaining: Duration?
  /// All that the service says.
  public let json: JSON

  init(json: JSON) {
    ref = json["ref"].string ?? ""
    let several = json["locks"].elements.compactMap(\.string)
    keys = several.isEmpty ? json["key"].string.map { [$0] } ?? [] : several
    mode = json["mode"].string.flatMap(LeaseMode.init) ?? .exclusive
    count = json["count"].int ?? 1
    fence = json["fence"].int ?? 0
    owner = json["owner"].string
    binding = json["bind"].string.map(Binding.init)
    remaining = json["expires_in_ms"].int.map { .milliseconds($0) }
    self.json = json
  }
}

/// A set of semaphores of the host's kernel.
public struct SemaphoreSet: Sendable {
  /// The System V key; 0 for a set that only its id names.
  public let key: Int64
  /// The kernel's number.
  public let id: Int64
  /// Its semaphores.
  public let count: Int64
  /// Its user and group.
  public let owner: (user: Int64, group: Int64)
  /// Its permissions in octal digits.
  public let mode: String
  /// True where it is one of the service's own.
  public let isOwn: Bool
  /// All that the service says.
  public let json: JSON

  init(json: JSON) {
    key = json["key"].int ?? 0
    id = json["id"].int ?? 0
    count = json["nsems"].int ?? 0
    owner = (json["uid"].int ?? 0, json["gid"].int ?? 0)
    mode = json["mode"].string ?? ""
    isOwn = json["leasehold"] != .null
    self.json = json
  }
}
