extension LeaseholdClient {
  /// The locks that the service knows, all pages of them.
  ///
  /// - Throws: ``ClientError``.
  public func locks(prefix: String? = nil) async throws(ClientError) -> [LockState] {
    try await list("locks", ["key": prefix]).map { LockState(json: $0) }
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
    try await list("leases", ["owner": owner, "key": prefix]).map { LeaseState(json: $0) }
  }

  /// The semaphore sets of the host.
  ///
  /// - Throws: ``ClientError``.
  public func semaphores() async throws(ClientError) -> [SemaphoreSet] {
    try await list("semaphores", [:]).map { SemaphoreSet(json: $0) }
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
    let given: KeyValuePairs = ["reason": reason, "after": delay?.wireText]
    _ = try await send(Request("POST", ["leases", ref, "break"], given: given))
  }

  private func list(
    _ name: String, _ parameters: KeyValuePairs<String, String?>
  ) async throws(ClientError) -> [JSON] {
    var all: [JSON] = []
    var cursor: String?
    repeat {
      let answer = try await send(Request("GET", [name], given: parameters).page(behind: cursor)).json
      all += answer[name].elements
      cursor = answer["next_cursor"].string
    } while cursor != nil
    return all
  }
}

/// A lock as listings show it.
public struct LockState: Sendable {
  /// Its name.
  public var key: String { json["key"].string ?? "" }
  /// `rw` or `counting`.
  public var kind: String { json["kind"].string ?? "" }
  /// Slots; `nil` for a readers-writer lock.
  public var limit: Int64? { json["limit"].int }
  /// Free slots; `nil` where that cannot be known.
  public var available: Int64? { json["available"].int }
  /// Leases on it.
  public var held: Int64 { json["held"].int ?? 0 }
  /// The number of requests that wait for it.
  public var waiting: Int64 { json["waiting"].int ?? 0 }
  /// The leases on it, where one lock was asked for.
  public var holders: [LeaseState] { json["holders"].elements.map { LeaseState(json: $0) } }
  /// All that the service says.
  public let json: JSON
}

/// A lease as listings show it, without the secret to end it with.
public struct LeaseState: Sendable, Equatable {
  /// Its short name.
  public var ref: String { json["ref"].string ?? "" }
  /// The locks it holds; none among the holders of one lock.
  public var keys: [String] {
    let several = json["locks"].elements.compactMap(\.string)
    return several.isEmpty ? json["key"].string.map { [$0] } ?? [] : several
  }
  /// Alone or shared.
  public var mode: LeaseMode { json["mode"].string.flatMap(LeaseMode.init) ?? .exclusive }
  /// Slots.
  public var count: Int64 { json["count"].int ?? 1 }
  /// The number of the grant.
  public var fence: Int64 { json["fence"].int ?? 0 }
  /// The holder in its own words.
  public var owner: String? { json["owner"].string }
  /// A thing whose end ends it, before its deadline.
  public var binding: Binding? { json["bind"].string.map(Binding.init) }
  /// Time left; `nil` where no clock ends it.
  public var remaining: Duration? { json["expires_in_ms"].int.map { .milliseconds($0) } }
  /// All that the service says.
  public let json: JSON
}

/// A set of semaphores of the host's kernel.
public struct SemaphoreSet: Sendable {
  /// The System V key; 0 for a set that only its id names.
  public var key: Int64 { json["key"].int ?? 0 }
  /// The kernel's number.
  public var id: Int64 { json["id"].int ?? 0 }
  /// Its semaphores.
  public var count: Int64 { json["nsems"].int ?? 0 }
  /// Its user and group.
  public var owner: (user: Int64, group: Int64) { (json["uid"].int ?? 0, json["gid"].int ?? 0) }
  /// Its permissions in octal digits.
  public var mode: String { json["mode"].string ?? "" }
  /// True where it is one of the service's own.
  public var isOwn: Bool { json["leasehold"] != .null }
  /// All that the service says.
  public let json: JSON
}
