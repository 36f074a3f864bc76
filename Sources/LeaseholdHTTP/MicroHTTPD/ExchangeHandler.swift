/// The handler that the listeners call.
///
/// One handler serves any number of listeners.
///
/// For each request, in this order: `headersArrived`, `requestArrived`, `work` where that asked for it, at most one
/// `hungUp` or `lost`, `completed`. All but `work`, `lost`, `hungUp` and `stopping` are called on the thread that
/// serves the connection and must not block: one slow call delays every other connection of that thread.
protocol ExchangeHandler: AnyObject, Sendable {
  /// A connection was accepted.
  ///
  /// - Parameter isFull: Whether its thread has as many connections as it takes; it can serve a few more.
  func connectionOpened(_ connection: PeerConnection, isFull: Bool) -> Admission

  /// The headers are there, the body is not yet.
  ///
  /// A refusal given here (``Exchange/response``) costs no reading of the body. The connection closes after it unless
  /// the request has no body. A request with a ``Exchange/defect`` gets no further than here: without a refusal its
  /// connection closes. How long the body may be is said here, too, where that is not
  /// ``ListenerOptions/maxBodyBytes``: see ``Exchange/limitBody(to:)``.
  func headersArrived(_ exchange: Exchange)

  /// The whole request is there.
  func requestArrived(_ exchange: Exchange) -> Disposition

  /// A request that `requestArrived` gave to a worker; may block.
  ///
  /// The exchange is this thread's until this returns: its connection is suspended, so the request's memory stays.
  ///
  /// - Parameter asked: When it was given to a worker, as nanoseconds of CLOCK_MONOTONIC.
  func work(_ exchange: Exchange, since asked: Int64) -> Disposition

  /// The answer that `work` gave is not sent: another one was first, or the peer is gone.
  func lost(_ exchange: Exchange)

  /// A pending exchange is answered with this status. Called on the thread that answers, before the answer is sent.
  func resolved(_ exchange: Exchange, status: Int)

  /// The peer of a pending exchange went away: it closed, reset or half-closed its connection.
  ///
  /// Called on the watch's thread or a worker's, never after ``Exchange/resolve(_:)`` returned true for this exchange.
  /// `completed` follows.
  func hungUp(_ exchange: Exchange)

  /// The answer for a pending exchange whose listener is being stopped. Called on the thread that stops.
  func stopping(_ exchange: Exchange) -> Response

  /// The answer for a pending exchange whose connection the kernel does not watch: its peer could go unnoticed.
  ///
  /// Called on the connection's thread; nothing may resolve the exchange any more.
  func cannotWait(_ exchange: Exchange, errno: Int32) -> Response

  /// A request for which `requestArrived` was called is over; called exactly once for each.
  ///
  /// - Parameter delivered: Whether the kernel took the whole answer for a peer that was there.
  func completed(_ exchange: Exchange, delivered: Bool)

  /// The connection is closed; nothing is called for it any more.
  func connectionClosed(_ connection: PeerConnection)
}

extension ExchangeHandler {
  func resolved(_ exchange: Exchange, status: Int) {}

  func work(_ exchange: Exchange, since asked: Int64) -> Disposition {
    preconditionFailure("no request is given to a worker here")
  }

  func lost(_ exchange: Exchange) {}

  func hungUp(_ exchange: Exchange) {}

  func completed(_ exchange: Exchange, delivered: Bool) {}

  func connectionClosed(_ connection: PeerConnection) {}

  func connectionOpened(_ connection: PeerConnection, isFull: Bool) -> Admission { .served }

  func cannotWait(_ exchange: Exchange, errno: Int32) -> Response { stopping(exchange) }
}

/// The fate of a connection that was accepted.
enum Admission: Sendable {
  /// It is served.
  case served
  /// It is one too many: its first request is answered if it comes soon, while there is room for that.
  case refused
}
