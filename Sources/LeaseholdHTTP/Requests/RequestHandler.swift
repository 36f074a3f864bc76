import Leasehold
import LeaseholdHost

/// From a request to its endpoint and back: the straight line of every call.
final class RequestHandler: ExchangeHandler {
  private let server: Server
  // The server's: here they are called without being retained.
  private let guardian: Guard
  private let counts: RequestCounts
  private let refusals: Refusals

  init(_ server: Server) {
    (self.server, guardian, counts, refusals) = (server, server.guardian, server.counts, server.refusals)
  }

  func headersArrived(_ exchange: Exchange) {
    if let target = Target(exchange.target) {
      exchange.context.target = target
      exchange.context.endpoint = target.path.pointee.endpoint(exchange.method)
    }
    if let defect = exchange.defect { return _ = refuse(exchange, defect) }
    if exchange.connection.isSurplus, let refusal = exchange.connection.seat?.refusal,
      exchange.context.endpoint?.pointee.role != .nobody
    {
      _ = refuse(exchange, refusal)
      exchange.response.closes = true
      return
    }
    if let refusal = guardian.refusal(exchange) { return _ = refuse(exchange, refusal) }
    if exchange.context.endpoint?.pointee.body == .value { exchange.limitBody(to: server.options.valueBytes) }
    if exchange.bodyTooLarge { _ = refuse(exchange, .bodyTooLarge(exchange)) }
  }

  func connectionOpened(_ connection: PeerConnection, isFull: Bool) -> Admission {
    let seat = Seat(
      connection.peer, in: server.accounts, isFull: isFull,
      limit: connection.daemon.options.connectionLimit)
    connection.seat = seat
    return seat.refusal == nil ? .served : .refused
  }

  @inline(never)
  private func refuse(_ exchange: Exchange, _ problem: LeaseholdError) -> Disposition {
    let response = response(problem, exchange, at: exchange.now, asText: Accept(exchange).prefersText)
    counts.count(nil, status: Int(response.status))
    return exchange.respond(response)
  }

  /// The answer to a request that is refused, and noted.
  private func response(
    _ problem: LeaseholdError, _ exchange: Exchange, at now: MonotonicInstant, asText: Bool
  ) -> Response {
    let response = server.writer(at: now).response(problem, to: exchange, asText: asText)
    refusals.note(problem, response.status, to: exchange, trace: exchange.trace, requestID: exchange.requestID.bytes)
    return response
  }

  func requestArrived(_ exchange: Exchange) -> Disposition {
    guard let endpoint = exchange.context.endpoint else { return withoutEndpoint(exchange) }
    return server.workers != nil && endpoint.pointee.asksEngine ? giveToWorker(exchange) : answer(exchange, endpoint)
  }

  /// The answer to OPTIONS, and to what is not there.
  private func withoutEndpoint(_ exchange: Exchange) -> Disposition {
    let isAboutAll = exchange.target.elementsEqual("*".utf8)
    let allow =
      isAboutAll ? "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS" : exchange.context.target?.path.pointee.allow
    guard let allow else {
      let path = String(decoding: exchange.target.prefix { $0 != UInt8(ascii: "?") }.prefix(128), as: UTF8.self)
      return refuse(exchange, LeaseholdError(.notFound, "There is nothing at \(path); GET / lists what there is."))
    }
    if exchange.method == .options {
      counts.count(nil, status: 204)
      exchange.response = Response(status: 204, contentType: "", body: ResponseBuffer())
    } else {
      let isTerraform = exchange.context.target?.path.pointee.endpoint(.lock) != nil
      let detail =
        "This path takes \(allow), not \(exchange.methodName.prefix(32))." + (isTerraform ? Terraform.hint : "")
      _ = refuse(exchange, LeaseholdError(.methodNotAllowed, detail))
    }
    exchange.response.add("Allow", allow)
    return .answered
  }

  /// Where the engine may block, a worker asks it.
  private func giveToWorker(_ exchange: Exchange) -> Disposition {
    do throws(LeaseholdError) {
      guard !server.isDraining else { throw .draining() }
      return .working(try server.place())
    } catch {
      return refuse(exchange, error)
    }
  }

  func work(_ exchange: Exchange, since asked: Int64) -> Disposition {
    if HostClock.monotonic() - asked >= server.options.lineTime.nanoseconds || server.isDraining {
      let error = server.isDraining ? LeaseholdError.draining() : server.engineBusy()
      return problem(error, exchange, nil, asText: Accept(exchange).prefersText)
    }
    guard let endpoint = exchange.context.endpoint else {
      preconditionFailure("a worker gets what an endpoint was found for")
    }
    return answer(exchange, endpoint, isWorker: true)
  }

  func lost(_ exchange: Exchange) {
    if let grant = exchange.context.grant.take() {
      server.engine.locks.withdraw(.grant(grant), at: Server.now())
    }
    if let pending = exchange.context.pending.take() { pending.completed(delivered: false) }
  }

  /// - Parameter isWorker: Whether the answer is counted when it is sent, as another one may be first.
  private func answer(
    _ exchange: Exchange, _ endpoint: UnsafePointer<Endpoint>, isWorker: Bool = false
  ) -> Disposition {
    guard let target = exchange.context.target else { preconditionFailure("an endpoint was found by its target") }
    let accept = Accept(exchange)
    var asText = accept.prefersText
    do throws(LeaseholdError) {
      var arguments = Arguments(over: exchange.connection.room.arguments)
      if !target.query.isEmpty { try arguments.readForm(target.query, known: endpoint.pointee.parameters) }
      if exchange.bodyTooLarge { throw .bodyTooLarge(exchange) }
      if !exchange.body.isEmpty, endpoint.pointee.body == .parameters { try readBody(exchange, endpoint, &arguments) }
      if let format = arguments[.format] {
        guard format == "json" || format == "text" else { throw .notOneOf(.format, format, ["json", "text"]) }
        asText = format == "text"
      } else if endpoint.pointee.method != .get, !endpoint.pointee.media.suits(accept) {
        throw .notAcceptable
      }
      let call = Call(
        exchange: exchange, server: server, arguments: arguments, asText: asText && endpoint.pointee.media.offersText)
      if let token = exchange.context.token { try token.check(endpoint.pointee.reach, call) }
      let disposition = try endpoint.pointee.answer(call)
      // Reading changes nothing, so an error of the request itself may come first, in the form that was asked for.
      if endpoint.pointee.method == .get, !endpoint.pointee.media.suits(accept) { throw .notAcceptable }
      switch disposition {
      case .answered: if !isWorker { count(exchange, endpoint, status: 200) }
      // Counted when it is answered.
      case .pending: break
      case .working: break
      }
      return disposition
    } catch {
      return problem(error, exchange, isWorker ? nil : endpoint, asText: asText)
    }
  }

  /// - Parameter counted: The endpoint that the answer counts for; `nil` where it is counted when it is sent.
  @inline(never)
  private func problem(
    _ error: consuming LeaseholdError, _ exchange: Exchange, _ counted: UnsafePointer<Endpoint>?, asText: Bool
  ) -> Disposition {
    if exchange.context.token != nil { error = error.told(to: exchange.context.token) }
    let response = response(error, exchange, at: exchange.now, asText: asText)
    if let counted { count(exchange, counted, status: Int(response.status)) }
    return exchange.respond(response)
  }

  /// Counts a request whose answer is there, with what that took: the second and last reading of the clock.
  private func count(_ exchange: Exchange, _ endpoint: UnsafePointer<Endpoint>, status: Int) {
    let took = UInt64(truncatingIfNeeded: HostClock.monotonic() &- exchange.arrived)
    counts.count(endpoint.pointee.number, status: status, nanoseconds: took)
  }

  private func readBody(
    _ exchange: Exchange, _ endpoint: UnsafePointer<Endpoint>, _ arguments: inout Arguments
  ) throws(LeaseholdError) {
    switch MediaType(exchange.header(.contentType)) {
    // curl calls a body a form when it is not told what it is; no form begins as JSON does.
    case .form where !JSONMemberReader.begins(exchange.body):
      try arguments.readForm(exchange.body, known: endpoint.pointee.parameters)
    case .json, .form: try arguments.readJSON(exchange.body, known: endpoint.pointee.parameters)
    case .serialized, .bytes, .other:
      throw LeaseholdError(
        .unsupportedMediaType,
        "A body's Content-Type must be application/json or application/x-www-form-urlencoded; or put the parameters "
          + "into the query.")
    }
  }

  func resolved(_ exchange: Exchange, status: Int) {
    counts.count(exchange.context.endpoint?.pointee.number, status: status)
  }

  func hungUp(_ exchange: Exchange) { exchange.context.pending?.hungUp() }

  func stopping(_ exchange: Exchange) -> Response {
    server.writer(at: Server.now()).response(.draining(), to: exchange, asText: Accept(exchange).prefersText)
  }

  func cannotWait(_ exchange: Exchange, errno: Int32) -> Response {
    hungUp(exchange)
    return response(
      .cannotWait("epoll_ctl", errno), exchange, at: Server.now(), asText: Accept(exchange).prefersText)
  }

  func completed(_ exchange: Exchange, delivered: Bool) {
    // The lease of a hold whose answer has begun ends with its connection.
    if !delivered, exchange.context.pending == nil, let grant = exchange.context.grant {
      server.engine.locks.withdraw(.grant(grant), at: Server.now())
    }
    if let pending = exchange.context.pending.take() { pending.completed(delivered: delivered) }
  }

  func connectionClosed(_ connection: PeerConnection) {
    connection.seat = nil
    server.engine.locks.withdraw(.connection(connection.id), at: Server.now())
  }
}

extension Exchange {
  /// CLOCK_MONOTONIC when the headers had arrived.
  var now: MonotonicInstant { MonotonicInstant(nanoseconds: arrived) }
}

extension LeaseholdError {
  /// The error of an answer in no form that the caller takes.
  fileprivate static var notAcceptable: LeaseholdError {
    LeaseholdError(.notAcceptable, "This answer comes as application/json only; ask for that, or leave Accept out.")
  }

  /// The body is longer than it may be.
  static func bodyTooLarge(_ exchange: Exchange) -> LeaseholdError {
    let isValue = exchange.context.endpoint?.pointee.body == .value
    let bytesMax = exchange.bodyLimitBytes
    return LeaseholdError(
      .bodyTooLarge,
      "The body is longer than the \(bytesMax) bytes that this service reads "
        + (isValue ? "for a value (--max-value)." : "(--max-body); parameters are short."),
      facts: [("maximum_bytes", .number(Int64(bytesMax)))])
  }
}
