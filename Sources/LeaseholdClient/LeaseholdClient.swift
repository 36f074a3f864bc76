import Synchronization

/// A client of the lock service, for programs with tasks.
///
/// Each request under way has a connection and a thread of its own; up to ``idleMax`` of them are kept for the next.
public final class LeaseholdClient: Sendable {
  /// Where the service is and who asks.
  public let endpoint: ServiceEndpoint
  /// Connections that are kept while nobody uses them.
  public let idleMax: Int
  private let idle = Mutex<[Worker]>([])

  /// Makes a client; it connects with its first request.
  public init(_ endpoint: ServiceEndpoint, idleMax: Int = 4) {
    self.endpoint = endpoint
    self.idleMax = idleMax
  }

  /// Makes a client from `unix:/path`, `http://host:port` or `https://host:port`.
  ///
  /// - Parameters:
  ///   - token: Sent as a bearer token.
  ///   - authorities: A file in PEM with the certificates that vouch for a service of https; `nil` for those that this
  ///     system trusts.
  /// - Throws: ``ClientError/badAddress(_:)``.
  public convenience init(_ url: String, token: String? = nil, authorities: String? = nil) throws(ClientError) {
    guard let address = ServiceAddress(url) else { throw .badAddress(url) }
    var endpoint = ServiceEndpoint(address, token: token)
    endpoint.authorities = authorities
    self.init(endpoint)
  }

  /// Makes a client as `LEASEHOLD_URL`, `LEASEHOLD_TOKEN` and `LEASEHOLD_CACERT` say.
  ///
  /// - Throws: ``ClientError/badAddress(_:)``.
  public convenience init() throws(ClientError) {
    self.init(try ServiceEndpoint.fromEnvironment())
  }

  deinit {
    for worker in idle.withLock({ $0 }) { worker.dismiss() }
  }

  /// Sends any request and returns its answer when the status is below 400.
  ///
  /// When the task is canceled the connection is closed: a request that waits for a lock leaves the queue.
  /// - Throws: ``ClientError``.
  public func send(_ request: Request) async throws(ClientError) -> Response {
    if Task.isCancelled { throw .canceled }
    let worker = idle.withLock { $0.popLast() } ?? Worker(endpoint)
    let result: Result<Response, ClientError> = await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        worker.run { connection in
          let result: Result<Response, ClientError>
          do throws(ClientError) {
            result = .success(try connection.send(request))
          } catch {
            result = .failure(error)
          }
          continuation.resume(returning: result)
        }
      }
    } onCancel: {
      worker.connection.abort()
    }
    let isReusable = if case .success = result { !Task.isCancelled } else { false }
    let isKept =
      isReusable
      && idle.withLock { idle in
        guard idle.count < idleMax else { return false }
        idle.append(worker)
        return true
      }
    if !isKept { worker.dismiss() }
    return try result.get().checked()
  }

  /// Takes a lock.
  ///
  /// A lost answer costs nothing: the request is repeated with the same Idempotency-Key and gets the same lease.
  /// - Throws: ``ClientError``; ``ClientError/isBusy`` says whether others hold the lock.
  public func acquire(_ key: String, _ options: LeaseOptions = LeaseOptions()) async throws(ClientError) -> Lease {
    var request = Request("POST", ["locks", key, "acquire"], query: options.query)
    request.timeout = options.wait + .seconds(15)
    request.headers = [(name: "Idempotency-Key", value: Self.randomKey())]
    if let trace = options.traceparent { request.headers.append((name: "traceparent", value: trace)) }
    do {
      return try lease(await send(request))
    } catch .unreachable {
      return try lease(await send(request))
    }
  }

  /// Gives a lease back; a second time is no error.
  ///
  /// - Throws: ``ClientError/problem(_:)`` with status 410 when it ended before.
  public func release(_ lease: Lease) async throws(ClientError) {
    _ = try await send(Request("DELETE", ["leases", lease.id]))
  }

  /// Moves the deadline to `ttl` from now; without it, to the lease's own ttl from now.
  ///
  /// - Throws: ``ClientError/problem(_:)`` with status 410 when it is over, and why.
  public func renew(_ lease: Lease, ttl: Duration? = nil) async throws(ClientError) -> Lease {
    try self.lease(await send(Self.renewal(of: lease, ttl: ttl)))
  }

  /// The locks that the service knows, all pages of them.
  ///
  /// - Throws: ``ClientError``.
  public func locks(prefix: String? = nil) async throws(ClientError) -> [LockState] {
    try await list("locks", prefix.map { [("key", $0)] } ?? []).map { LockState(json: $0) }
  }

  /// The leases that are held; they have no ids, only refs.
  ///
  /// - Throws: ``ClientError``.
  public func leases() async throws(ClientError) -> [JSON] { try await list("leases", []) }

  /// The semaphore sets of the host.
  ///
  /// - Throws: ``ClientError``.
  public func semaphores() async throws(ClientError) -> [JSON] { try await list("semaphores", []) }

  /// One lock with its holders and waiters; ``Problem/code`` is `no-such-lock` when there is none.
  ///
  /// - Throws: ``ClientError``.
  public func lock(_ key: String) async throws(ClientError) -> LockState {
    LockState(json: try await send(Request("GET", ["locks", key])).json)
  }

  static func renewal(of lease: Lease, ttl: Duration? = nil) -> Request {
    Request("POST", ["leases", lease.id, "renew"], query: ttl.map { [("ttl", $0.wireText)] } ?? [])
  }

  /// A new Idempotency-Key.
  public static func randomKey() -> String {
    "swift-" + String(UInt64.random(in: .min ... .max), radix: 16) + String(UInt64.random(in: .min ... .max), radix: 16)
  }

  private func lease(_ response: Response) throws(ClientError) -> Lease {
    guard let lease = Lease(json: response.json) else { throw .malformed("an answer without a lease") }
    return lease
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
