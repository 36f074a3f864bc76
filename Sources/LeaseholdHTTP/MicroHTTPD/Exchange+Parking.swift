import LeaseholdHost
import Synchronization

/// Where a pending exchange is; see ``Exchange``.
struct Parking: ~Copyable, Sendable {
  enum Phase: UInt8, Sendable { case running, parked, resolved, gone }

  var phase = Phase.running
  /// The answer, from `resolved` until libmicrohttpd calls again.
  var response: Response?
  /// Whether it is on its way already, in its place.
  var early = Exchange.Early.not
  /// The registration with the watch, while parked.
  var token = HangupWatch.Token.none
  /// The suspended connection, while parked; whoever ends that state resumes it.
  var suspended = SuspendedConnection.none
}

extension Exchange: HangupWatch.Target {
  /// Answers a pending exchange; from any thread, also before `requestArrived` has returned.
  ///
  /// - Returns: False where the exchange was over: the peer hung up, the listener stops, or it was answered before.
  ///   Then the response is dropped, and `completed(delivered: false)` has come or is coming.
  @discardableResult
  func resolve(_ response: consuming Response) -> Bool {
    let status = Int(response.status)
    var answer: Response? = response
    var token = HangupWatch.Token.none
    var suspended = SuspendedConnection.none
    let won = parking.withLock { state in
      guard state.phase == .running || state.phase == .parked else { return false }
      if state.phase == .running { state.response = answer.take() }
      state.phase = .resolved
      swap(&token, &state.token)
      swap(&suspended, &state.suspended)
      return true
    }
    guard won else { return false }
    connection.daemon.handler.resolved(self, status: status)
    if let parked = answer.take() {
      let early = sendEarly(parked)
      if early == .not { answer = consume parked }
      parking.withLock { state in
        state.early = early
        state.response = answer.take()
      }
    }
    // Before resuming: from then on libmicrohttpd may close the descriptor and the kernel may give it to another.
    connection.daemon.watch.disarm(token)
    connection.daemon.resume(suspended)
    return true
  }

  /// Suspends the connection until `resolve` or a hang-up, on the connection's thread.
  /// - Returns: An answer if one is there already, the listener is stopping, or the kernel cannot watch the connection.
  func park() -> Response? {
    let daemon = connection.daemon
    var answer: Response?
    let arming = parking.withLock { state -> HangupWatch.Arming? in
      guard state.phase == .running else {
        answer = state.response.take()
        return nil
      }
      // The event may come before `suspend` is through; the watch's thread then waits for this lock.
      let arming = daemon.watch.arm(connection.descriptor, self, of: daemon.owner)
      guard case .armed(let token) = arming else {
        state.phase = .resolved
        return arming
      }
      connection.exemptFromIdling()
      state.token = token
      state.suspended = daemon.suspend(connection)
      state.phase = .parked
      return nil
    }
    return switch arming {
    case .stopped?: daemon.handler.stopping(self)
    case .refused(let errno)?: daemon.handler.cannotWait(self, errno: errno)
    case .armed?, nil: answer
    }
  }

  /// Takes the answer when libmicrohttpd calls again after a resume; `nil` if the peer is gone.
  func takeAnswer() -> Response? {
    let answer = parking.withLock { $0.response.take() }
    connection.idle(since: HostClock.monotonic())
    return connection.peerIsThere() ? answer : nil
  }

  /// The watch saw the peer go.
  ///
  /// Called on its thread.
  func peerGone() {
    var suspended = SuspendedConnection.none
    let won = parking.withLock { state in
      guard state.phase == .parked else { return false }
      state.phase = .gone
      swap(&suspended, &state.suspended)
      return true
    }
    guard won else { return }
    connection.daemon.handler.hungUp(self)
    connection.daemon.resume(suspended)
  }

  /// The listener is being stopped.
  func listenerStops() { resolve(connection.daemon.handler.stopping(self)) }
}
