import Leasehold
import LeaseholdHost

/// Listens where there is nothing to serve with: the kernel has no System V semaphores for this process.
///
/// `/healthz` is 200, everything else 503 `sysv-unavailable` with the errno, so that a caller learns why.
public final class UnavailableServer: Sendable {
  private let options: ServerOptions
  private let errno: String
  private let listeners: Listeners

  /// Makes a server that does not listen yet; `errno` is what semget(2) said, by name.
  ///
  /// - Throws: ``ServerError`` for a thread that cannot be had.
  public init(errno: String, options: ServerOptions) throws(ServerError) {
    self.options = options
    self.errno = errno
    listeners = try Listeners()
  }

  /// Opens the sockets and serves.
  ///
  /// - Throws: ``ServerError`` for an address that cannot be listened on.
  public func start() throws(ServerError) { try listeners.start(options, options.certificate, self) }

  /// Closes everything and ends the threads.
  public func stop() { listeners.stop() }
}

// Says the same to every caller.
extension UnavailableServer: ExchangeHandler {
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

  func stopping(_ exchange: Exchange) -> Response { response(problem, exchange) }
}
