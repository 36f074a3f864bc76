import Leasehold
import LeaseholdHost

/// From a request to its endpoint and back: the straight line of every call.
final class RequestHandler: ExchangeHandler {
  private let server: Server

  init(_ server: Server) { self.server = server }

  func headersArrived(_ exchange: Exchange) -> Response? {
    if let defect = exchange.defect { return refuse(exchange, LeaseholdError(defect)) }
    if exchange.connection.isSurplus, let refusal = exchange.connection.seat?.refusal, !isForEverybody(exchange) {
      var response = refuse(exchange, refusal)
      response.closes = true
      return response
    }
    if let refusal = server.guardian.refusal(exchange) { return refuse(exchange, refusal) }
    if exchange.bodyTooLarge { return refuse(exchange, .bodyTooLarge(exchange)) }
    return nil
  }

  /// Whether the request is one that is answered whoever asks, and however many do.
  private func isForEverybody(_ exchange: Exchange) -> Bool {
    guard let target = Target(exchange.target), let operation = Endpoint.find(exchange.method, target.route) else {
      return false
    }
    return Endpoint.all[operation].neededRole == .nobody
  }

  func connectionOpened(_ connection: PeerConnection, isFull: Bool) -> Admission {
    let seat = Seat(
      connection.knownPeer, in: server.accounts, isFull: isFull,
      limit: connection.daemon.options.connectionLimit)
    connection.attachment = seat
    return seat.refusal == nil ? .served : .refused
  }

  func bodyLimit(_ exchange: Exchange) -> Int? {
    guard exchange.method == .put, let target = Target(exchange.target),
      let operation = Endpoint.find(.put, target.route), Endpoint.all[operation].takesValue
    else { return nil }
    return server.valueBytes
  }

  private func refuse(_ exchange: Exchange, _ problem: LeaseholdError) -> Response {
    let response = server.writer(at: exchange.now).response(problem, to: exchange, asText: Accept(exchange).prefersText)
    server.counts.count(operation: nil, status: Int(response.status))
    if server.refusals.counts(problem) {
      let operation = Target(exchange.target).flatMap { Endpoint.find(exchange.method, $0.route) }
      server.refusals.note(
        problem, to: exchange, operation: operation.map { Endpoint.all[$0].operation },
        trace: exchange.trace, requestID: exchange.withRequestID { Array($0) })
    }
    return response
  }

  func requestArrived(_ exchange: Exchange) -> Disposition {
    if exchange.method == .options, let allow = Endpoint.options(exchange.target) {
      server.counts.count(operation: nil, status: 204)
      var response = Response(status: 204, contentType: "", body: ResponseBuffer())
      response.add("Allow", allow)
      return .respond(response)
    }
    guard let target = Target(exchange.target) else {
      let path = String(decoding: exchange.target.prefix { $0 != UInt8(ascii: "?") }.prefix(128), as: UTF8.self)
      return .respond(
        refuse(exchange, LeaseholdError(.notFound, "There is nothing at \(path); GET / lists what there is.")))
    }
    guard let operation = Endpoint.find(exchange.method, target.route) else {
      let allow = Endpoint.allow(target.route)
      var response = refuse(
        exchange,
        LeaseholdError(.methodNotAllowed, "This path takes \(allow), not \(exchange.methodName.prefix(32))."))
      response.add("Allow", allow)
      return .respond(response)
    }
    let endpoint = Endpoint.all[operation]
    if server.workers != nil, endpoint.asksEngine {
      exchange.operation = operation
      return giveToWorker(exchange)
    }
    return answer(exchange, target, endpoint, operation)
  }

  /// Where the engine may block, a worker asks it.
  private func giveToWorker(_ exchange: Exchange) -> Disposition {
    do throws(LeaseholdError) {
      guard !server.isDraining else { throw .stopping }
      return .working(try server.place())
    } catch {
      return .respond(refuse(exchange, error))
    }
  }

  func work(_ exchange: Exchange) -> Disposition {
    guard let target = Target(exchange.target), let operation = exchange.operation else {
      preconditionFailure("a worker gets what an endpoint was found for")
    }
    return answer(exchange, target, Endpoint.all[operation], operation, isWorker: true)
  }

  func lost(_ exchange: Exchange) {
    if let grant = exchange.context.grant.take() {
      server.engine.locks.withdraw(.grant(grant), at: Server.now())
    }
    if let pending = exchange.context.pending.take() { pending.completed(delivered: false) }
  }

  /// - Parameter isWorker: Whether the answer is counted when it is sent, as another one may be first.
  private func answer(
    _ exchange: Exchange, _ target: Target, _ endpoint: Endpoint, _ operation: Int, isWorker: Bool = false
  ) -> Disposition {
    let accept = Accept(exchange)
    let writer = server.writer(at: exchange.now)
    var asText = accept.prefersText
    do throws(LeaseholdError) {
      var arguments = Arguments(over: exchange.connection.argumentPlaces)
      if !target.query.isEmpty { try arguments.readForm(target.query, known: endpoint.parameters) }
      if exchange.bodyTooLarge { throw .bodyTooLarge(exchange) }
      if !exchange.body.isEmpty, !endpoint.takesValue { try readBody(exchange, endpoint, &arguments) }
      if let format = arguments[.format] {
        guard format == "json" || format == "text" else { throw .notOneOf(.format, format, ["json", "text"]) }
        asText = format == "text"
      } else if endpoint.method != .get {
        try check(accept, endpoint)
      }
      let call = Call(
        exchange: exchange, server: server, target: target, arguments: arguments, asText: asText && endpoint.offersText,
        writer: writer)
      if let token = exchange.token { try token.check(endpoint, call) }
      // A worker's is known already, and others may look at it.
      if !isWorker { exchange.operation = operation }
      let disposition = try endpoint.handle(call)
      // Reading changes nothing, so an error of the request itself may come first, in the form that was asked for.
      if endpoint.method == .get { try check(accept, endpoint) }
      switch disposition {
      case .respond: if !isWorker { count(exchange, operation, status: 200) }
      // Counted when it is answered.
      case .pending: break
      case .working: break
      }
      return disposition
    } catch {
      let error = error.told(to: exchange.token)
      let response = writer.response(error, to: exchange, asText: asText)
      if !isWorker { count(exchange, operation, status: Int(response.status)) }
      server.refusals.note(
        error, to: exchange, operation: endpoint.operation, trace: exchange.trace,
        requestID: exchange.withRequestID { Array($0) })
      return .respond(response)
    }
  }

  /// Counts a request whose answer is there, with what that took: the second and last reading of the clock.
  private func count(_ exchange: Exchange, _ operation: Int, status: Int) {
    server.counts.count(
      operation: operation, status: status,
      nanoseconds: UInt64(truncatingIfNeeded: HostClock.monotonic() &- exchange.arrived))
  }

  private func check(_ accept: Accept, _ endpoint: Endpoint) throws(LeaseholdError) {
    guard !accept.takesJSON, !(endpoint.offersText && accept.prefersText), endpoint.answersJSON,
      !(endpoint.route == .index && accept.prefersHTML)
    else { return }
    throw LeaseholdError(
      .notAcceptable, "This answer comes as application/json only; ask for that, or leave Accept out.")
  }

  private func readBody(_ exchange: Exchange, _ endpoint: Endpoint, _ arguments: inout Arguments) throws(LeaseholdError)
  {
    switch MediaType(exchange.header(.contentType)) {
    case .json: try arguments.readJSON(exchange.body, known: endpoint.parameters)
    case .form:
      // curl calls a body a form when it is not told what it is; no form begins like that.
      if JSONScalarReader.begins(exchange.body) {
        try arguments.readJSON(exchange.body, known: endpoint.parameters)
      } else {
        try arguments.readForm(exchange.body, known: endpoint.parameters)
      }
    case .serialized, .bytes, .other:
      throw LeaseholdError(
        .unsupportedMediaType,
        "A body's Content-Type must be application/json or application/x-www-form-urlencoded; or put the parameters "
          + "into the query.")
    }
  }

  func resolved(_ exchange: Exchange, status: Int) {
    server.counts.count(operation: exchange.operation, status: status)
  }

  func hungUp(_ exchange: Exchange) { exchange.context.pending?.hungUp() }

  func stopping(_ exchange: Exchange) -> Response {
    server.writer(at: Server.now()).response(.stopping, to: exchange, asText: Accept(exchange).prefersText)
  }

  func cannotWait(_ exchange: Exchange, errno: Int32) -> Response {
    hungUp(exchange)
    let problem = LeaseholdError.cannotWait("epoll_ctl", errno)
    server.refusals.note(
      problem, to: exchange, operation: "wait", trace: exchange.trace, requestID: exchange.withRequestID { Array($0) })
    return server.writer(at: Server.now()).response(problem, to: exchange, asText: Accept(exchange).prefersText)
  }

  func completed(_ exchange: Exchange, delivered: Bool) {
    if !delivered, let grant = exchange.context.grant {
      server.engine.locks.withdraw(.grant(grant), at: Server.now())
    }
    if let pending = exchange.context.pending.take() { pending.completed(delivered: delivered) }
  }

  func connectionClosed(_ connection: PeerConnection) {
    connection.attachment = nil
    server.engine.locks.withdraw(.connection(connection.id), at: Server.now())
  }
}

extension Exchange {
  /// CLOCK_MONOTONIC when the headers had arrived.
  var now: MonotonicInstant { MonotonicInstant(nanoseconds: arrived) }
}

extension Endpoint {
  /// Whether the answer is JSON: all but the metrics and the documents are.
  ///
  /// A variable and the bytes of a segment look at Accept themselves.
  var answersJSON: Bool {
    switch route {
    case .metrics, .openapi, .docs, .hold, .events: false
    case .variable, .segmentBytes: method != .get
    default: true
    }
  }
}

extension LeaseholdError {
  /// What is answered by a service that stops.
  fileprivate static var stopping: LeaseholdError {
    LeaseholdError(
      .draining, "The service is stopping; leases stay as they are. Try again when it is back.",
      retryAfter: .seconds(1))
  }

  /// The body is longer than it may be.
  static func bodyTooLarge(_ exchange: Exchange) -> LeaseholdError {
    let isValue = exchange.valueLimitBytes != nil
    let maximum = exchange.valueLimitBytes ?? exchange.connection.daemon.options.maxBodyBytes
    return LeaseholdError(
      .bodyTooLarge,
      "The body is longer than the \(maximum) bytes that this service reads "
        + (isValue ? "for a value (--max-value)." : "(--max-body); parameters are short."),
      facts: [("maximum_bytes", .number(Int64(maximum)))])
  }

  /// What libmicrohttpd does not let through.
  convenience init(_ error: LibraryError) {
    switch error {
    case .unreadableHead:
      self.init(
        .malformedRequest, "The request line is not METHOD TARGET HTTP/1.1, or a header field is not NAME: VALUE.")
    case .unreadableLength: self.init(.malformedRequest, "The Content-Length is not one whole number.")
    case .unreadableChunk: self.init(.malformedRequest, "The chunks of the body are not as RFC 9112, 7.1 has them.")
    case .hugeBody: self.init(.bodyTooLarge, "The length of the body has more than 64 bits.")
    case .hugeTarget:
      self.init(.uriTooLong, "The request line does not fit into the memory of a connection (--connection-memory).")
    case .hugeHead:
      self.init(
        .headersTooLarge, "The header fields do not fit into the memory of a connection (--connection-memory).")
    case .unknownVersion:
      self.init(.unknownVersion, "The request is not of HTTP/1.1 or HTTP/1.0, the versions that are spoken here.")
    case .unknown: self.init(.internalError, "The request could not be read; please report this, with what was sent.")
    }
  }

  /// What libmicrohttpd let through and we do not.
  convenience init(_ defect: Exchange.Defect) {
    switch defect {
    case .malformedRequestLine:
      self.init(
        .malformedRequest,
        "The request line is not METHOD TARGET HTTP/1.1 with one blank between them; a blank in a name is %20.")
    case .unknownTargetForm:
      self.init(
        .malformedRequest,
        "The target is neither a path that begins with / nor http://HOST/PATH; this service is no proxy.")
    case .needsTLS:
      self.init(
        .hostNotAllowed, "The target is an https URL, but the request came without TLS; ask for http:// or for a path.")
    case .bareLineFeed:
      self.init(.malformedRequest, "A line of the request's head ends with LF alone; each must end with CR LF.")
    case .brokenLine:
      self.init(.malformedRequest, "A line of the request's head is folded, has no name, or holds a NUL byte.")
    case .badFieldName:
      self.init(
        .malformedRequest,
        "The name of a header field has a character that none may have, such as a blank before the colon.")
    case .badFieldValue:
      self.init(.malformedRequest, "The value of a header field has a control character, such as CR without LF.")
    case .targetTooLong:
      self.init(.uriTooLong, "The path and query have more than 8192 bytes; a lock's name has at most 255.")
    case .ambiguousLength: self.init(.malformedRequest, "The length of the body is given in two ways.")
    case .unknownTransferEncoding:
      self.init(.malformedRequest, "The only Transfer-Encoding understood is chunked, and that in HTTP/1.1.")
    case .repeatedHost: self.init(.malformedRequest, "Host is given more than once.")
    case .missingHost:
      self.init(.malformedRequest, "The Host header is missing, which each request of HTTP/1.1 must have.")
    case .malformedHost:
      self.init(.malformedRequest, "The Host header is no host name or address with or without a port.")
    }
  }
}
