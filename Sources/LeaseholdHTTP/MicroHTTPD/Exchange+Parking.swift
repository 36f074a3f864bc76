import LeaseholdHost
import Synchronization

/// Where a pending exchange is; see ``ExchangePhase``.
struct Parking: ~Copyable, Sendable {
  var phase = ExchangePhase.running
  /// The answer, until the thread that has the exchange takes it.
  var response: Response?
  /// True when it is on its way already, in its place.
  var early = Exchange.Early.not
  /// The suspension that is resumed; the thread that decides the answer takes it.
  var suspension = Suspension.none
}

extension Exchange: HangupWatch.Target {
  /// Answers a pending exchange; from any thread, also before its endpoint has returned.
  ///
  /// - Returns: False where the exchange was over: the peer hung up, the listener stops, or it was answered before.
  ///   Then the response is dropped, and `completed(delivered: false)` has come or is coming.
  @discardableResult
  func resolve(_ response: consuming Response) -> Bool {
    let status = Int(response.status)
    var answer: Response? = response
    var suspension = Suspension.none
    let resolution = parking.withLock { state in
      let resolution = state.phase.resolve()
      switch resolution {
      case .lost: break
      case .kept: state.response = answer.take()
      case .sent: swap(&suspension, &state.suspension)
      }
      return resolution
    }
    guard resolution != .lost else { return false }
    connection.daemon.handler.resolved(self, status: status)
    if let parked = answer.take() { send(parked, resuming: suspension) }
    return true
  }

  /// Sends the answer of a suspended connection, which the caller has, and resumes that.
  private func send(_ response: consuming Response, resuming suspension: Suspension) {
    var answer: Response?
    let early = sendEarly(response)
    if early == .not { answer = consume response }
    parking.withLock { state in
      state.early = early
      state.response = answer.take()
    }
    connection.daemon.resume(suspension)
  }

  /// Suspends the connection until `resolve` or a hang-up, on the connection's thread.
  ///
  /// - Returns: False where there is an answer already, the listener is stopping, or the kernel cannot watch the
  ///   connection; then the exchange has the answer.
  func park() -> Bool {
    var answer: Response?
    let arming = parking.withLock { state -> HangupWatch.Arming? in
      guard state.phase == .running else {
        _ = state.phase.park()
        answer = state.response.take()
        return nil
      }
      let arming = suspend(&state)
      if case .armed = arming { _ = state.phase.park() }
      return arming
    }
    if let arming { return goesOn(arming) }
    guard let answer else { return true }
    response = answer
    return false
  }

  /// Suspends the connection and hands the exchange to a worker, on the connection's thread.
  ///
  /// - Returns: False where the listener is stopping, or the kernel cannot watch the connection; then the exchange has
  ///   the answer.
  func beginWork() -> Bool {
    // Made here, because two threads may ask for it from now on.
    _ = requestID
    return goesOn(
      parking.withLock { state in
        let arming = suspend(&state)
        if case .armed = arming { state.phase.beginWork() }
        return arming
      })
  }

  /// Watches and suspends the connection.
  private func suspend(_ state: inout Parking) -> HangupWatch.Arming {
    let arming = connection.daemon.suspend(connection, for: self, as: &state.suspension)
    if case .armed = arming { connection.exemptFromIdling() } else { state.phase.refuse() }
    return arming
  }

  /// Returns true when the connection is watched; else answers why it is not.
  private func goesOn(_ arming: HangupWatch.Arming) -> Bool {
    switch arming {
    case .stopped: response = connection.daemon.handler.stopping(self)
    case .refused(let errno): response = connection.daemon.handler.cannotWait(self, errno: errno)
    case .armed: return true
    }
    return false
  }

  /// A worker is through with the endpoint, on its thread; the exchange is not its any more.
  func endWork(_ disposition: consuming Disposition) {
    var own: Response?
    switch consume disposition {
    case .answered: own = takeResponse()
    case .pending: break
    case .working: preconditionFailure("a worker works itself")
    }
    let hasAnswer = own != nil
    var kept: Response?
    var suspension = Suspension.none
    let end = parking.withLock { state in
      let end = state.phase.endWork(hasAnswer: hasAnswer)
      guard end != .parks else { return end }
      swap(&suspension, &state.suspension)
      kept = state.response.take()
      return end
    }
    let handler = connection.daemon.handler
    switch end {
    case .parks: break
    case .sends:
      guard let answer = own.take() else { preconditionFailure("it has an answer") }
      handler.resolved(self, status: Int(answer.status))
      send(answer, resuming: suspension)
    case .sendsKept:
      if hasAnswer { handler.lost(self) }
      guard let answer = kept.take() else { preconditionFailure("an answer was kept") }
      send(answer, resuming: suspension)
    case .callsOff:
      if hasAnswer { handler.lost(self) } else { handler.hungUp(self) }
      connection.daemon.resume(suspension)
    }
  }

  /// Takes the answer when libmicrohttpd calls again after a resume; false if the peer is gone.
  func takeParkedAnswer() -> Bool {
    let answer = parking.withLock { $0.response.take() }
    connection.idle(since: HostClock.monotonic())
    guard let answer, connection.peerIsThere() else { return false }
    response = answer
    return true
  }

  /// The watch saw the peer go.
  ///
  /// Called on its thread.
  func peerGone() {
    var suspension = Suspension.none
    let isOver = parking.withLock { state in
      guard state.phase.hangUp() else { return false }
      swap(&suspension, &state.suspension)
      return true
    }
    guard isOver else { return }
    connection.daemon.handler.hungUp(self)
    connection.daemon.resume(suspension)
  }

  /// The listener is being stopped.
  func listenerStops() { resolve(connection.daemon.handler.stopping(self)) }
}
