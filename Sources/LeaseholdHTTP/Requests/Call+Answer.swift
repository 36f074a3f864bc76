import Leasehold

// An acquire or a conversion: answered now, or parked until the engine tells how it went.

extension Call {
  /// Asks for locks.
  ///
  /// - Parameter isHold: Whether the answer stays open as long as the lease.
  func acquire(_ request: AcquireRequest, isHold: Bool = false) throws(LeaseholdError) -> Disposition {
    let (exchange, server, asText) = (exchange, server, asText)
    var waiting: WaitingAcquire?
    let outcome = server.engine.locks.acquire(
      request,
      client: {
        let made = WaitingAcquire(exchange, server: server, asText: asText, isHold: isHold, WaitNote(request))
        waiting = made
        return made
      }, at: now)
    guard isHold, case .granted(let lease) = outcome else { return try answer(outcome, waiting) }
    let holding = WaitingAcquire(exchange, server: server, asText: asText, isHold: true, WaitNote(request))
    guard let response = holding.holdResponse(lease) else { throw holding.end(of: lease) }
    return .respond(response)
  }

  /// Asks for another form of a lease.
  func convert(_ request: ConvertRequest) throws(LeaseholdError) -> Disposition {
    let (exchange, server, asText) = (exchange, server, asText)
    var waiting: WaitingAcquire?
    let outcome = server.engine.locks.convert(
      request,
      client: {
        let note = WaitNote(key: request.lock.key, trace: request.caller.trace, owner: nil)
        let made = WaitingAcquire(exchange, server: server, asText: asText, isHold: false, note)
        waiting = made
        return made
      }, at: now)
    return try answer(outcome, waiting)
  }

  private func answer(
    _ outcome: consuming AcquireOutcome, _ waiting: WaitingAcquire?
  ) throws(LeaseholdError) -> Disposition {
    switch consume outcome {
    case .granted(let lease):
      if waiting != nil { exchange.context.pending = nil }
      // A grant whose answer cannot be delivered is withdrawn; a repeated answer is not a grant.
      if !lease.replayed, !lease.isConverted { exchange.context.grant = lease.grant }
      if lease.bindsConnection { exchange.connection.keepOpen(true) }
      return .respond(writer.granted(lease, asText: asText))
    case .refused(let error):
      if waiting != nil { exchange.context.pending = nil }
      throw error
    case .waiting(let waiter, let queue):
      guard let waiting else {
        throw LeaseholdError(.internalError, "The engine waits for something and tells nobody; please report this.")
      }
      waiting.begin(waiter, behind: queue)
      return .pending
    }
  }
}
