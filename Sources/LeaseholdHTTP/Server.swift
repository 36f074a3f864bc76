import Glibc
public import Leasehold
import LeaseholdHost
public import Logging
import Synchronization

/// The settings of the HTTP server.
///
/// Sizes in bytes.
public struct ServerOptions: Sendable {
  /// TCP: an address of this machine; `nil` for no TCP listener.
  public var host: String? = "127.0.0.1"
  /// TCP: 0 takes a free port.
  public var port: UInt16 = 31_818
  /// The path of a Unix socket; `nil` for none.
  public var unixPath: String?
  /// The mode of the socket file.
  public var unixMode: UInt32 = 0o660
  /// Listening sockets that another program made, as descriptors.
  public var inherited: [Int32] = []
  /// Threads that serve connections, for each listener.
  public var threads = 1
  /// Connections at a time, for each listener.
  public var connections = 20_000
  /// Memory of one connection for the heads of request and answer.
  public var connectionMemoryBytes = 16 * 1024
  /// The time for which a connection may be silent.
  public var idleTimeout = TimeSpan.seconds(60)
  /// The time for which a connection may be open without having asked for anything.
  public var firstRequestTimeout = TimeSpan.seconds(10)
  /// The longest body.
  public var bodyBytes = 64 * 1024
  /// Names that callers may use in Host beside loopback.
  public var allowedHosts: [String] = []
  /// The file of bearer tokens; `nil` for none.
  public var tokenFile: String?
  /// True when the Unix socket asks for tokens too.
  public var unixNeedsToken = false
  /// The certificate of the TCP listener with those that vouch for it, and its key, both PEM; `nil` for plain HTTP.
  public var tls: (certificate: [UInt8], key: [UInt8])?
  /// The longest value of a variable, and the most raw bytes of a segment, in one request.
  public var valueBytes = 1 << 20
  /// True when serialized objects and enum cases may be stored.
  public var allowsObjects = false
  /// The time between two beats of a hold's answer.
  public var heartbeat = TimeSpan.seconds(5)
  /// The time in line for an engine that may block, after which a request is refused: its caller waits meanwhile.
  public var lineTime = TimeSpan.seconds(3)
  /// The maxima of requests.
  public var limits = Limits()
  /// Waits of at least this long are logged at info, others at debug.
  public var slowWait = TimeSpan.seconds(1)
  /// The number of lines that the log has lost; asked by `/metrics`.
  public var logLinesDropped: @Sendable () -> UInt64 = { 0 }
  /// The versions that `/version` tells.
  public var versions = Versions(leasehold: "0", swift: "6.3")

  /// All defaults.
  public init() {}
}

/// The HTTP face of a lock service: all listeners over one handler.
///
/// Life cycle: ``start()``, then ``drain()`` (waiters were sent away by the service, nothing new is accepted), then
/// ``stop()``.
public final class Server: Sendable {
  private enum Phase: UInt8, AtomicRepresentable {
    case opening, listening, draining
  }

  let engine: Engine
  let options: ServerOptions
  let guardian: Guard
  let accounts: CallerAccounts
  let refusals: Refusals
  let waits: WaitLog
  let holds = Holds()
  let events: EventFeed
  let longPolls = LongPolls()
  let lockInfos = LockInfos()
  let counts = RequestCounts()
  let log: Logger
  /// The threads that ask an engine which may block; `nil` for one that answers at once.
  let workers: BlockingPool?
  private let certificate: Certificate?
  let listeners: Listeners
  private let phase = Atomic(Phase.opening)
  private let wallOffset = Atomic<Int64>(0)
  private let pulse = Pulse()
  private let acceptTroubles = AcceptTroubles()

  /// Makes a server that does not listen yet.
  ///
  /// - Throws: ``ServerError`` for a file of tokens or a thread that cannot be had.
  public init(
    _ engine: Engine, options: ServerOptions, log: Logger
  ) throws(ServerError) {
    self.engine = engine
    self.log = log
    var options = options
    options.limits.ttlMin = max(options.limits.ttlMin, engine.traits.ttlMin)
    self.options = options
    events = EventFeed(engine.events, limits: options.limits)
    workers =
      engine.traits.mayBlock
      ? BlockingPool(named: "lh-worker", threadsMax: Self.workersMax, lineMax: Self.lineMax) : nil
    refusals = Refusals(log)
    waits = WaitLog(log, slow: options.slowWait)
    accounts = CallerAccounts(options.limits, connections: options.connections)
    guardian = try Self.makeGuard(options, accounts)
    certificate = options.certificate
    if let defect = certificate?.defect() {
      throw ServerError(
        description: "the certificate and the key cannot be used together: \(defect)", isConfiguration: true)
    }
    listeners = try Listeners()
    wallOffset.store(HostClock.wallOffset(), ordering: .relaxed)
  }

  private static func makeGuard(
    _ options: ServerOptions, _ accounts: CallerAccounts
  ) throws(ServerError) -> Guard {
    // A listener's own address is one of its names.
    let own = options.host.map { ($0.contains(":") ? "[\($0)]" : $0).lowercased() }
    do {
      let tokens = try options.tokenFile.map { path throws(SecretFileError) in
        try TokenStore(path: path, accounts: accounts)
      }
      return Guard(
        allowedHosts: Set(options.allowedHosts + (own.map { [$0] } ?? [])), tokens: tokens,
        unixNeedsToken: options.unixNeedsToken)
    } catch {
      throw ServerError(description: "--token-file: \(error)", isConfiguration: true)
    }
  }

  /// Opens the sockets and serves.
  ///
  /// - Throws: ``ServerError`` for an address that cannot be listened on.
  public func start() throws(ServerError) {
    warnOfDescriptors(raiseDescriptorLimit())
    EarlyAnswers.check(listeners.watch, log)
    do throws(ServerError) {
      try listeners.start(options, certificate, RequestHandler(self))
    } catch {
      stop()
      throw error
    }
    _ = phase.compareExchange(expected: .opening, desired: .listening, ordering: .relaxed)
    let beats = pulse.start(every: options.heartbeat.nanoseconds) { [self] in
      wallOffset.store(HostClock.wallOffset(), ordering: .relaxed)
      holds.beat(at: Self.now())
      events.beat()
      refusals.flush()
      waits.flush()
      acceptTroubles.tell(log)
      EarlyAnswers.tell(log)
    }
    // Holds without heartbeats would be taken for dead.
    guard !beats else { return }
    stop()
    throw .system("pthread_create", "any address", EAGAIN)
  }

  /// Warns where the kernel would refuse connections before the settings do.
  private func warnOfDescriptors(_ limit: UInt64) {
    let listeners = max(1, options.endpoints.count)
    let needed =
      listeners * (options.connections + options.threads * Daemon.reserve) + options.limits.processes
      + Self.ownDescriptors
    guard limit < UInt64(needed) else { return }
    log.warning(
      """
      file descriptors do not suffice: raise the hard limit (LimitNOFILE=, ulimit -Hn), or lower --max-connections or \
      --max-processes
      """,
      metadata: [
        "limit": .stringConvertible(limit), "needed": .stringConvertible(needed),
        "listeners": .stringConvertible(listeners), "max_connections": .stringConvertible(options.connections),
        "max_processes": .stringConvertible(options.limits.processes),
      ])
  }

  /// The descriptors that the daemon has open beside connections and the processes that leases are bound to.
  private static let ownDescriptors = 128

  /// The TCP port in use.
  public var port: UInt16? {
    // Each is asked once: the kernel may refuse now what it told a moment ago, and lazy sequences ask twice.
    for listener in listeners.all { if let port = listener.port { return port } }
    return nil
  }

  /// Requests that are being answered, waiting ones included.
  public var activeExchanges: Int { listeners.sum(\.activeExchanges) }

  /// Returns true when every listener answers a request of the server's own within `span`; for a watchdog.
  ///
  /// Blocks as long as that, for each listener.
  public func answers(within span: TimeSpan) -> Bool {
    listeners.all.allSatisfy { $0.answers(within: span.nanoseconds / 1_000_000) }
  }

  /// Requests that were answered so far.
  public var answeredRequests: UInt64 { counts.total }

  /// Open connections.
  public var connections: Int { listeners.sum(\.connections) }

  /// True when every listener is open.
  ///
  /// The first one answers while the next is still being opened.
  var isListening: Bool { phase.load(ordering: .relaxed) != .opening }

  /// True when the server is stopping.
  var isDraining: Bool { phase.load(ordering: .relaxed) == .draining }

  /// The maxima of requests; a ttl is at least what the engine can keep.
  var limits: Limits { options.limits }

  /// Accepts no more connections and ends the open answers; what is in flight goes on.
  public func drain() {
    phase.store(.draining, ordering: .relaxed)
    for listener in listeners.all { listener.quiesce() }
    holds.finishAll()
    events.finishAll()
  }

  /// Answers what is left with 503, closes everything and ends the threads.
  public func stop() {
    phase.store(.draining, ordering: .relaxed)
    pulse.stop()
    listeners.stop()
    workers?.stop()
  }

  static func now() -> MonotonicInstant { MonotonicInstant(nanoseconds: HostClock.monotonic()) }

  /// A writer for an answer to a request that came at `now`.
  ///
  /// An engine that may block has taken its time since then: what it tells counts from this instant.
  func writer(at now: MonotonicInstant) -> AnswerWriter {
    let now = workers == nil ? now : Self.now()
    return AnswerWriter(
      now: now, wallOffset: wallOffset.load(ordering: .relaxed),
      expiryPrecision: engine.traits.expiryPrecision, recoveryGrace: engine.traits.recoveryGrace)
  }
}
