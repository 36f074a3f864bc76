import Leasehold

/// A request that waits for its answer, with all that the answer needs: the request's memory belongs to the thread that
/// serves the connection, and answers come from others.
struct ParkedRequest: @unchecked Sendable {
  let exchange: Exchange
  let server: Server
  let asText: Bool
  let trace: TraceContext
  let requestID: [UInt8]

  init(_ exchange: Exchange, server: Server, asText: Bool) {
    self.exchange = exchange
    self.server = server
    self.asText = asText
    trace = exchange.trace
    requestID = exchange.requestID.bytes
  }

  /// Answers; false where the exchange was over.
  @discardableResult
  func answer(_ response: consuming Response) -> Bool { exchange.resolve(response) }

  /// Answers with an error.
  ///
  /// - Returns: The code that was answered.
  @discardableResult
  func refuse(_ error: LeaseholdError) -> LeaseholdError.Code {
    let problem = error.told(to: exchange.context.token)
    let response = server.writer(at: Server.now()).response(problem, requestID: requestID, asText: asText)
    server.refusals.note(problem, response.status, to: exchange, trace: trace, requestID: requestID)
    exchange.resolve(response)
    return problem.code
  }
}
