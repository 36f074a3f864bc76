/// Answers are ``JSON``, and addresses and answers are those of ``HTTPExchange``, so users of the client have their
/// members without another import.
@_exported public import HTTPExchange
@_exported public import JSONText
internal import LeaseholdHost
import Synchronization

/// A way to one lock service, for programs with tasks, which share it freely; ``Lock`` takes locks with it.
///
/// Requests under way have a connection each, and no thread. Up to ``idleMax`` connections are kept for the next.
public final class LeaseholdClient: Sendable {
  /// The service's address and the caller's token.
  public let endpoint: ServiceEndpoint
  /// Connections that are kept while no call uses them.
  public let idleMax: Int
  /// The time the service may take to answer, over what a request may wait in a queue, and may be away.
  public let timeout: Duration
  private let idle = Mutex<[HTTPConnection]>([])
  private let hasAnswered = Atomic(false)
  /// True once a connection was made.
  let isReached = Atomic(false)
  /// True where leases cannot be bound to this process.
  let isUnseen: Atomic<Bool>
  /// The longest wait that the service takes, in nanoseconds.
  let waitMax = Atomic<Int64>(3_600_000_000_000)
  let watcher = Watcher()

  /// Makes a client; it connects with its first request.
  public init(_ endpoint: ServiceEndpoint, timeout: Duration = .seconds(5), idleMax: Int = 4) {
    self.endpoint = endpoint
    self.timeout = timeout
    self.idleMax = idleMax
    isUnseen = Atomic(!endpoint.isOfThisHost)
  }

  /// Makes a client from `unix:/path`, `http://host:port` or `https://host:port`.
  ///
  /// - Parameters:
  ///   - token: Sent as a bearer token.
  ///   - authorities: A file in PEM with the certificates that vouch for a service of https; `nil` for those that this
  ///     system trusts.
  /// - Throws: ``ClientError/badAddress(_:)``.
  public convenience init(
    _ url: String, token: String? = nil, authorities: String? = nil, timeout: Duration = .seconds(5)
  ) throws(ClientError) {
    guard let address = ServiceAddress(url) else { throw .badAddress(url) }
    var endpoint = ServiceEndpoint(address, token: token)
    endpoint.authorities = authorities
    self.init(endpoint, timeout: timeout)
  }

  /// Makes a client as `LEASEHOLD_URL`, `LEASEHOLD_TOKEN` and `LEASEHOLD_CACERT` say; without an address, of the
  /// service that ``ServiceAddress/found()`` finds.
  ///
  /// - Throws: ``ClientError/badAddress(_:)``.
  public convenience init() throws(ClientError) {
    self.init(try ServiceEndpoint.fromEnvironment())
  }

  /// The client of locks that name none, made as ``init()`` does with the first of them.
  ///
  /// - Throws: ``ClientError/badAddress(_:)``.
  public static func standard() throws(ClientError) -> LeaseholdClient { try found.get() }

  private static let found = Result { () throws(ClientError) in try LeaseholdClient() }

  /// Sends any request and returns its answer when the status is below 400.
  ///
  /// When the task is canceled the connection is closed: a request that waits for a lock leaves the queue.
  /// - Throws: ``ClientError``.
  public func send(_ request: Request) async throws(ClientError) -> Response {
    try await respond(to: request, isFresh: false, pending: nil).checked()
  }

  /// A new Idempotency-Key.
  public static func randomKey() -> String {
    "swift-" + String(UInt64.random(in: .min ... .max), radix: 16) + String(UInt64.random(in: .min ... .max), radix: 16)
  }

  /// Sends a request and waits for the whole answer, whatever its status.
  ///
  /// - Parameters:
  ///   - isFresh: Takes another connection than those that were used before.
  ///   - pending: Raised once the service may have heard of the request.
  func ask(_ request: Request, isFresh: Bool = false, pending: Flag? = nil) async throws(ClientError) -> Answer {
    let sent = endpoint.now()
    return Answer(try await respond(to: request, isFresh: isFresh, pending: pending), sent: sent)
  }

  /// Sends a request whose answer has no end; an answer of 400 and above is whole, and has no stream.
  func open(_ request: Request) async throws(ClientError) -> (Answer, LineStream?) {
    let (sent, deadline) = (endpoint.now(), HostClock.monotonic(after: request.timeout))
    let connection = HTTPConnection(endpoint.peer)
    do throws(HTTPFailure) {
      try await connection.open(before: deadline)
      isReached.store(true, ordering: .relaxed)
      let reader = try await connection.begin(request.bytes(to: endpoint, closing: true), before: deadline)
      guard reader.status >= 400 else {
        return (Answer(status: reader.status, sent: sent), LineStream(reader: reader, endpoint: endpoint))
      }
      let body = try await reader.readBody(deadline: deadline)
      return (Answer(Response(status: reader.status, body: body), sent: sent), nil)
    } catch {
      throw await firstError(error, before: deadline)
    }
  }

  /// Asks on another connection whether the service is there.
  func findAlive() async throws(ClientError) {
    _ = try await ask(Request("GET", ["healthz"]).within(timeout), isFresh: true)
  }

  private func respond(to request: Request, isFresh: Bool, pending: Flag?) async throws(ClientError) -> Response {
    if Task.isCancelled { throw .canceled }
    let deadline = HostClock.monotonic(after: request.timeout)
    let bytes = request.bytes(to: endpoint)
    if !isFresh, let connection = kept() {
      do throws(HTTPFailure) {
        return try await exchange(bytes, over: connection, before: deadline, pending)
      } catch .system {
        // The service may have closed it in the same moment.
      } catch {
        throw endpoint.error(error)
      }
    }
    do throws(HTTPFailure) {
      return try await exchange(bytes, over: HTTPConnection(endpoint.peer), before: deadline, pending)
    } catch {
      throw await firstError(error, before: deadline)
    }
  }

  private func exchange(
    _ bytes: [UInt8], over connection: HTTPConnection, before deadline: Int64, _ pending: Flag?
  ) async throws(HTTPFailure) -> Response {
    try await connection.open(before: deadline)
    isReached.store(true, ordering: .relaxed)
    pending?.raise()
    let response = try await connection.exchange(bytes, before: deadline)
    hasAnswered.store(true, ordering: .relaxed)
    if connection.isOpen { idle.withLock { if $0.count < idleMax { $0.append(connection) } } }
    return response
  }

  private func kept() -> HTTPConnection? {
    while let connection = idle.withLock({ $0.popLast() }) {
      if connection.isKept { return connection }
    }
    return nil
  }

  private func firstError(_ failure: HTTPFailure, before deadline: Int64) async -> ClientError {
    guard !hasAnswered.load(ordering: .relaxed), let probe = endpoint.probe(after: failure) else {
      return endpoint.error(failure)
    }
    return endpoint.error(
      failure, await Result { () async throws(HTTPFailure) in try await probe.open(before: deadline) })
  }
}

/// An answer of any status, and when its request was sent, on the clock of ``ServiceEndpoint/now()``.
struct Answer: Sendable {
  let status: Int
  let json: JSON
  let sent: Int64

  init(status: Int, json: JSON = .null, sent: Int64) { (self.status, self.json, self.sent) = (status, json, sent) }

  init(_ response: Response, sent: Int64) { self.init(status: response.status, json: response.json, sent: sent) }

  /// The problem that it tells, when it does.
  var problem: Problem? { status >= 400 ? Problem(status: status, members: json) : nil }

  /// True where it says that a lease is over.
  var isGone: Bool { problem?.isGone ?? false }
}

/// Something that happens once.
final class Flag: Sendable {
  private let state = Atomic(false)

  func raise() { state.store(true, ordering: .relaxed) }
  func lower() { state.store(false, ordering: .relaxed) }
  var isRaised: Bool { state.load(ordering: .relaxed) }
}

/// The lines of an answer that has no end, for one task at a time.
struct LineStream: Sendable {
  fileprivate let reader: ResponseReader
  fileprivate let endpoint: ServiceEndpoint

  /// The next line; `nil` at the end.
  ///
  /// - Throws: ``ClientError/timedOut(_:)`` where none comes in time.
  func next(within patience: Duration) async throws(ClientError) -> String? {
    do throws(HTTPFailure) {
      let line = try await reader.readLine(deadline: HostClock.monotonic(after: patience))
      return line.map { String(decoding: $0, as: UTF8.self) }
    } catch {
      throw endpoint.error(error)
    }
  }
}

extension ServiceEndpoint {
  /// True where the service shares this host's kernel.
  var isOfThisHost: Bool { if case .unix = address { true } else { false } }

  /// The clock for deadlines, in nanoseconds (rule 22): the host's own where it is shared, and elsewhere one that goes
  /// on while the machine sleeps.
  func now() -> Int64 { isOfThisHost ? HostClock.monotonic() : HostClock.sinceBoot() }
}
