import Leasehold

// An acquire or a conversion: answered now, or parked until the engine tells how it went.

extension Call {
  /// Asks for locks.
  ///
  /// - Parameters:
  ///   - isHold: Whether the answer stays open as long as the lease.
  ///   - form: How it is answered where not with the lease itself.
  func acquire(
    _ request: AcquireRequest, isHold: Bool = false, as form: StateLock? = nil
  ) throws(LeaseholdError) -> Disposition {
    let (exchange, server, asText) = (exchange, server, asText)
    var waiting: WaitingAcquire?
    let outcome = server.engine.locks.acquire(
      request,
      client: {
        let made = WaitingAcquire(
          exchange, server: server, asText: asText, isHold: isHold, form: form, WaitNote(request))
        waiting = made
        return made
      }, at: now)
    guard isHold, case .granted(let lease) = outcome else { return try answer(outcome, waiting, as: form) }
    return try hold(lease, WaitNote(request))
  }

  /// Binds a lease to the connection.
  func attach(_ request: AttachRequest) throws(LeaseholdError) -> Disposition {
    let lease = try server.engine.locks.attach(request, at: now)
    return try hold(lease, WaitNote(key: lease.key, trace: request.caller.trace, owner: lease.owner))
  }

  /// Answers with a lease that is bound to the connection, as long as both live.
  private func hold(_ lease: LeaseSnapshot, _ note: WaitNote) throws(LeaseholdError) -> Disposition {
    // The connection may have closed while the engine was asked.
    exchange.context.grant = lease.grant
    let holding = WaitingAcquire(exchange, server: server, asText: asText, isHold: true, note)
    guard let response = holding.holdResponse(lease) else { throw holding.end(of: lease) }
    return respond(response)
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

  func answer(
    _ outcome: consuming AcquireOutcome, _ waiting: WaitingAcquire?, as form: StateLock? = nil
  ) throws(LeaseholdError) -> Disposition {
    switch consume outcome {
    case .granted(let lease):
      if waiting != nil { exchange.context.pending = nil }
      // A grant whose answer cannot be delivered is withdrawn; a repeated answer is not a grant.
      if !lease.replayed, !lease.isConverted { exchange.context.grant = lease.grant }
      if lease.bindsConnection { exchange.connection.keepOpen(true) }
      return respond(form?.granted(lease) ?? writer.granted(lease, asText: asText))
    case .refused(let error):
      if waiting != nil { exchange.context.pending = nil }
      guard let form else { throw error }
      return respond(try form.refused(error))
    case .waiting(let waiter, let queue):
      guard let waiting else {
        throw LeaseholdError(.internalError, "The engine waits for something and tells nobody; please report this.")
      }
      waiting.begin(waiter, behind: queue)
      return .pending
    }
  }
}
