internal import HTTPExchange

/// Something that happened to a lock.
public struct LockEvent: Sendable {
  /// The kinds of events, as the service names them.
  public struct Kind: RawRepresentable, Hashable, Sendable, ExpressibleByStringLiteral {
    /// The name.
    public let rawValue: String
    /// Names a kind.
    public init(rawValue: String) { self.rawValue = rawValue }
    /// Names a kind.
    public init(stringLiteral name: String) { rawValue = name }

    /// A grant.
    public static let granted: Kind = "granted"
    /// Its holder gave it back.
    public static let released: Kind = "released"
    /// Its deadline passed, or its binding ended.
    public static let expired: Kind = "expired"
    /// An operator ends it.
    public static let breaking: Kind = "breaking"
    /// An operator ended it.
    public static let broken: Kind = "broken"
    /// The lock is no more.
    public static let removed: Kind = "removed"
    /// The lease has another id.
    public static let transferred: Kind = "transferred"
    /// A holder is asked to yield, as a newer request of its group waits.
    public static let yield: Kind = "yield"
    /// Events are missing here, as the service has them no more.
    public static let gap: Kind = "gap"
  }

  /// The kind of event.
  public let kind: Kind
  /// The place to begin behind later: ``LeaseholdClient/events(_:ofLocks:since:)``.
  public let id: String
  /// The lock's name.
  public var key: String? { json["key"].string }
  /// The lease.
  public var ref: String? { json["ref"].string }
  /// When it happened, as the service writes instants.
  public var at: String? { json["at"].string }
  /// Why a lease ended, and what an operator said.
  public var reason: (code: String?, words: String?) { (json["reason"].string, json["break_reason"].string) }
  /// All that the service says.
  public let json: JSON
}

/// The events of a service as they happen; each iteration has a connection of its own.
public struct LockEvents: AsyncSequence, Sendable {
  /// An event.
  public typealias Element = LockEvent

  let client: LeaseholdClient
  let request: Request
  /// True where the beginning of an answer counts as a gap: nobody told what happened before.
  var tellsGaps = false

  /// Reads the lines of an answer.
  public struct AsyncIterator: AsyncIteratorProtocol {
    /// A comment comes every few seconds, a minute at most.
    private static let silence = Duration.seconds(75)

    private let events: LockEvents
    private var stream: LineStream?
    private var id = ""

    init(_ events: LockEvents) { self.events = events }

    /// The next event; `nil` when the service ends the answer.
    ///
    /// - Throws: ``ClientError``, among them ``ClientError/canceled``.
    public mutating func next() async throws(ClientError) -> LockEvent? {
      if stream == nil {
        let (answer, stream) = try await events.client.open(events.request.within(events.client.timeout))
        if let problem = answer.problem { throw .problem(problem) }
        self.stream = stream
        if events.tellsGaps { return LockEvent(kind: .gap, id: id, json: .null) }
      }
      var kind = LockEvent.Kind.gap
      while let line = try await stream?.next(within: Self.silence) {
        if line.hasPrefix("id: ") {
          id = String(line.dropFirst(4))
        } else if line.hasPrefix("event: ") {
          kind = LockEvent.Kind(rawValue: String(line.dropFirst(7)))
        } else if line.hasPrefix("data: ") {
          return LockEvent(kind: kind, id: id, json: JSON(Array(line.utf8.dropFirst(6))) ?? .null)
        }
      }
      return nil
    }
  }

  /// Begins to read.
  public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(self) }
}

extension LeaseholdClient {
  /// The events of locks, from now on.
  ///
  /// - Parameters:
  ///   - kinds: Only events of these kinds; none are all.
  ///   - pattern: Only of this lock; with `*` behind it, of all whose names begin so.
  ///   - id: Begins behind the event of this ``LockEvent/id``, or with `oldest`.
  public func events(
    _ kinds: [LockEvent.Kind] = [], ofLocks pattern: String? = nil, since id: String? = nil
  ) -> LockEvents {
    let names = kinds.isEmpty ? nil : kinds.map(\.rawValue).joined(separator: ",")
    return LockEvents(
      client: self, request: Request("GET", ["events"], given: ["kind": names, "key": pattern, "since": id]))
  }
}
