import Leasehold
import LeaseholdHost
import Logging
import Synchronization

/// Listens where there is nothing to serve with: the kernel has no System V semaphores for this process.
///
/// `/healthz` is 200, everything else 503 `sysv-unavailable` with the errno, so that a caller learns why.
public final class UnavailableServer: Sendable {
  private let options: ServerOptions
  private let handler: UnavailableHandler
  private let watch: HangupWatch
  private let listeners = Mutex<[HTTPListener]>([])

  /// Makes a server that does not listen yet; `errno` is what semget(2) said, by name.
  ///
  /// - Throws: ``ServerError`` for a thread that cannot be had.
  public init(errno: String, options: ServerOptions) throws(ServerError) {
    self.options = options
    handler = UnavailableHandler(errno: errno)
    do {
      watch = try HangupWatch()
    } catch {
      throw ServerError(description: "\(error)", isInUse: false)
    }
  }

  /// Opens the sockets and serves.
  ///
  /// - Throws: ``ServerError`` for an address that cannot be listened on.
  public func start() throws(ServerError) {
    for endpoint in options.endpoints {
      var listening = ListenerOptions(endpoint)
      if case .tcp = endpoint { listening.certificate = options.tls.map { Certificate(certificate: $0, key: $1) } }
      let listener = HTTPListener(listening, watch: watch)
      do {
        try listener.start(handler: handler)
      } catch {
        stop()
        throw ServerError(error)
      }
      listeners.withLock { $0.append(listener) }
    }
  }

  /// Closes everything and ends the threads.
  public func stop() {
    let listeners = listeners.withLock { listeners in
      defer { listeners = [] }
      return listeners
    }
    for listener in listeners { listener.stop() }
  }
}

extension ServerOptions {
  /// Where to listen.
  var endpoints: [ListenerOptions.Endpoint] {
    var endpoints: [ListenerOptions.Endpoint] = []
    if let host { endpoints.append(.tcp(host: host, port: port)) }
    if let unixPath { endpoints.append(.unix(path: unixPath, mode: unixMode)) }
    return endpoints + inherited.map { .inherited(descriptor: $0) }
  }
}

/// Says the same to every caller.
private final class UnavailableHandler: ExchangeHandler {
  private let errno: String

  init(errno: String) { self.errno = errno }

  func headersArrived(_ exchange: Exchange) {
    if let defect = exchange.defect {
      exchange.response = response(defect, exchange)
    } else if exchange.bodyTooLarge {
      exchange.response = response(problem, exchange)
    }
  }

  func requestArrived(_ exchange: Exchange) -> Disposition {
    let path = exchange.target.prefix { $0 != UInt8(ascii: "?") }
    guard path.elementsEqual("/healthz".utf8), !exchange.method.changesSomething else {
      return exchange.respond(response(problem, exchange))
    }
    return exchange.respond(Response(status: 200, contentType: "application/json", text: "{\"status\":\"ok\"}\n"))
  }

  private var problem: LeaseholdError {
    LeaseholdError(
      .sysvUnavailable,
      "The kernel, or a filter of system calls, has no System V semaphores for this service (semget is \(errno)); "
        + "run it where it may use them.",
      facts: [("errno", .text(errno))])
  }

  private func response(_ problem: LeaseholdError, _ exchange: Exchange) -> Response {
    AnswerWriter(now: exchange.now, wallOffset: HostClock.wallOffset())
      .response(problem, to: exchange, asText: Accept(exchange).prefersText)
  }

  func hungUp(_ exchange: Exchange) {}

  func stopping(_ exchange: Exchange) -> Response { response(problem, exchange) }

  func completed(_ exchange: Exchange, delivered: Bool) {}

  func connectionClosed(_ connection: PeerConnection) {}
}
