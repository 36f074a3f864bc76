import Leasehold
import Synchronization

/// The listeners of a server, over one handler and one watch.
final class Listeners: Sendable {
  let watch: HangupWatch
  private let opened = Mutex<[HTTPListener]>([])

  /// - Throws: ``ServerError`` for a thread that cannot be had.
  init() throws(ServerError) {
    watch = try HangupWatch()
  }

  /// Opens the sockets and serves; closes all where one cannot be opened.
  ///
  /// - Throws: ``ServerError`` for an address that cannot be listened on.
  func start(
    _ options: ServerOptions, _ certificate: Certificate?, _ handler: any ExchangeHandler
  ) throws(ServerError) {
    for endpoint in options.endpoints {
      var listening = ListenerOptions(endpoint)
      listening.threads = options.threads
      listening.connectionLimit = options.connections
      listening.connectionMemoryBytes = options.connectionMemoryBytes
      listening.idleTimeoutSeconds = Double(options.idleTimeout.nanoseconds) / 1e9
      listening.firstRequestTimeoutSeconds = Double(options.firstRequestTimeout.nanoseconds) / 1e9
      listening.maxBodyBytes = options.bodyBytes
      if case .tcp = endpoint { listening.certificate = certificate }
      // A daemon that was killed may take a moment to let its port go.
      listening.bindRetry = .seconds(1)
      let listener = HTTPListener(listening, watch: watch)
      do {
        try listener.start(handler: handler)
      } catch {
        stop()
        throw error
      }
      opened.withLock { $0.append(listener) }
    }
  }

  /// Those that are open.
  var all: [HTTPListener] { opened.withLock(\.self) }

  /// The sum of a number of each.
  func sum(_ count: (HTTPListener) -> Int) -> Int { all.reduce(0) { $0 + count($1) } }

  /// Answers what is left, closes everything and ends the threads.
  func stop() {
    let listeners = opened.withLock { listeners in
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

  /// The certificate of the TCP listener; `nil` for plain HTTP.
  var certificate: Certificate? { tls.map { Certificate(certificate: $0.certificate, key: $0.key) } }
}
