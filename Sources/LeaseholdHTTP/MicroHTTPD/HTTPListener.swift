import Glibc
import LeaseholdHost
import Synchronization

/// One listening socket with its connections.
///
/// Several listeners (TCP and Unix) may share one handler and one watch. `start`, then `quiesce` when no more
/// connections are wanted, then `stop`; in between the handler may answer what is pending.
final class HTTPListener: Sendable {
  private struct State {
    var socket: ListenSocket?
    var daemons: [Daemon] = []
    var quiesced = false
  }

  private let options: ListenerOptions
  private let watch: HangupWatch
  private let owner = HangupWatch.newOwner()
  private let state = Mutex(State())

  /// Makes a listener that does not listen yet.
  init(_ options: ListenerOptions, watch: HangupWatch) {
    self.options = options
    self.watch = watch
  }

  deinit { stop(grace: .zero) }

  /// Opens the socket and serves it.
  ///
  /// Call it once.
  func start(handler: any ExchangeHandler) throws(ServerError) {
    let socket = try ListenSocket.open(options)
    var daemons: [Daemon] = []
    do throws(ServerError) {
      for _ in 0..<max(1, options.threads) {
        let duplicate = fcntl(socket.descriptor, F_DUPFD_CLOEXEC, 0)
        guard duplicate >= 0 else {
          throw .system("fcntl", options.endpoint.description, errno)
        }
        let daemon = Daemon(options, handler: handler, watch: watch, owner: owner, listening: duplicate)
        daemons.append(daemon)
        try daemon.start()
      }
    } catch {
      for daemon in daemons { daemon.stop() }
      socket.close()
      throw error
    }
    let period = Int32(min(1000, max(5, options.idleTimeoutSeconds * 1000 / 8)))
    if options.idleTimeoutSeconds > 0 { watch.sweep(daemons, everyMilliseconds: period) }
    state.withLock { $0 = State(socket: socket, daemons: daemons) }
  }

  /// The TCP port in use; `nil` for a Unix socket.
  var port: UInt16? { state.withLock { $0.socket?.port } }

  /// Returns true when a connection made now is served within so many milliseconds; a listener that is full counts as
  /// serving.
  func answers(within milliseconds: Int64) -> Bool {
    guard connections < options.connectionLimit else { return true }
    guard let descriptor = state.withLock({ $0.socket?.descriptor }) else { return false }
    return SelfRequest.isAnswered(by: descriptor, within: milliseconds)
  }

  /// Requests between their headers and the end of their answers.
  var activeExchanges: Int { sum { $0.activeExchanges.load(ordering: .relaxed) } }

  /// Open connections.
  var connections: Int { sum { $0.connections } }

  /// Connections that were one too many.
  var refusedConnections: Int { sum { $0.refusedConnections.load(ordering: .relaxed) } }

  /// Streams cut off because their peer did not read.
  var droppedStreams: Int { sum { $0.droppedStreams.load(ordering: .relaxed) } }

  /// Stops accepting: new connections are refused (an inherited socket keeps them for the next process).
  ///
  /// Open ones go on, and each closes after its next answer.
  func quiesce() {
    let (socket, daemons) = state.withLock { state in
      defer { state.quiesced = true }
      return state.quiesced ? (nil, []) : (state.socket, state.daemons)
    }
    for daemon in daemons { daemon.quiesce() }
    // Closed only at the end, as libmicrohttpd may be about to use it.
    if let socket, !socket.inherited { _ = shutdown(socket.descriptor, Int32(SHUT_RDWR)) }
  }

  /// Answers what is pending (`stopping`), cuts off streams, closes every connection and ends the threads.
  ///
  /// - Parameter grace: How long to wait for answers to go out.
  func stop(grace: Duration = .seconds(1)) {
    quiesce()
    let (socket, daemons) = state.withLock { state in
      defer { state.daemons = [] }
      return (state.socket.take(), state.daemons)
    }
    for target in watch.stop(owner) { target.listenerStops() }
    let deadline = HostClock.monotonic(after: grace)
    while daemons.contains(where: { $0.activeExchanges.load(ordering: .relaxed) > 0 }) {
      guard HostClock.monotonic() < deadline else { break }
      HostClock.sleep(nanoseconds: 500_000)
    }
    // Each suspended connection is resumed by the thread that took it out, so this ends; stopping before would abort.
    while daemons.contains(where: { $0.suspendedConnections > 0 }) { HostClock.sleep(nanoseconds: 100_000) }
    for daemon in daemons { daemon.stop() }
    socket?.close()
  }

  private func sum(_ count: (Daemon) -> Int) -> Int {
    state.withLock { $0.daemons.reduce(0) { $0 + count($1) } }
  }
}
