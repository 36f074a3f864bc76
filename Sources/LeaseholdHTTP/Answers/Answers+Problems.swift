import Leasehold

extension AnswerWriter {
  /// A problem as the answer to an exchange: JSON, or one readable line for who asked for text.
  func response(_ problem: LeaseholdError, to exchange: Exchange, asText: Bool) -> Response {
    response(problem, asText: asText) { json in exchange.withRequestID { json.append(contentsOf: $0) } }
  }

  /// The same for a thread that may not look into the request.
  func response(_ problem: LeaseholdError, requestID: [UInt8], asText: Bool) -> Response {
    response(problem, asText: asText) { json in requestID.withUnsafeBufferPointer { json.append(contentsOf: $0) } }
  }

  private func response(
    _ problem: LeaseholdError, asText: Bool, _ requestID: (inout ResponseBuffer) -> Void
  ) -> Response {
    let row = ProblemTable.row(problem.code)
    var body = ResponseBuffer(capacity: 512)
    if asText {
      body.append(problem.code.rawValue)
      body.append(": " as StaticString)
      body.append(problem.sentence)
      body.append(UInt8(ascii: "\n"))
    } else {
      write(problem, row, requestID, into: &body)
    }
    var response = Response(
      status: row.status,
      contentType: asText ? "text/plain; charset=utf-8" : "application/problem+json", body: body)
    if let challenge = row.challenge { response.add("WWW-Authenticate", challenge) }
    if let pause = problem.pause { response.retryAfterSeconds = UInt16(clamping: pause.secondsRoundedUp) }
    return response
  }

  private func write(
    _ problem: LeaseholdError, _ row: ProblemTable.Row, _ requestID: (inout ResponseBuffer) -> Void,
    into json: inout ResponseBuffer
  ) {
    json.append("{\"type\":\"/problems/" as StaticString)
    json.append(problem.code.rawValue)
    json.append("\",\"title\":\"" as StaticString)
    json.append(row.title)
    json.append(UInt8(ascii: "\""))
    json.member("status", Int(row.status))
    json.member("detail", problem.sentence)
    json.member("code", problem.code.rawValue)
    json.append(",\"request_id\":\"" as StaticString)
    requestID(&json)
    json.append(UInt8(ascii: "\""))
    assert(
      row.status != 410
        || ["key", "ref", "reason", "ended_at"].allSatisfy { name in
          problem.facts.contains { $0.name == name }
        }, "a 410 has a shape of its own: make it with LeaseholdError.gone")
    for fact in problem.facts { self.fact(fact, into: &json) }
    if let circle = problem.circle { self.circle(circle, into: &json) }
    if let lock = problem.contention { contention(lock, into: &json) }
    if let pause = problem.pause { json.member("retry_after_ms", Int(pause.millisecondsRoundedUp)) }
    json.closeAnswer()
  }

  /// A fact as a member.
  func fact(_ fact: LeaseholdError.Fact, into json: inout ResponseBuffer) {
    json.append(",\"" as StaticString)
    json.append(fact.name)
    json.append("\":" as StaticString)
    switch fact.value {
    case .text(let text): json.append(json: text)
    case .number(let number): json.append(decimal: Int(number))
    case .instant(let instant): json.append(rfc3339: instant &+ wallOffset)
    case .flag(let flag): json.append(flag ? "true" : "false" as StaticString)
    case .texts(let words): json.append(list: words)
    case .null: json.append("null" as StaticString)
    }
  }

  private func contention(_ lock: LockSnapshot, into json: inout ResponseBuffer) {
    json.member("errno", "EAGAIN")
    json.member("key", lock.key.text)
    json.member("kind", lock.kind.name)
    json.member("limit", lock.kind.limit)
    json.member("available", lock.available)
    json.member("native_held", lock.nativeUnits)
    json.next("holders")
    holders(lock, into: &json)
    json.member("cooling", lock.coolingCount)
    json.member("waiters", lock.waiterCount)
    json.list("queued_for", lock.queuedFor.map(\.text))
  }
}

extension LeaseholdError {
  /// The answer to a request that nobody here has read.
  func response(requestID: [UInt8]) -> Response {
    AnswerWriter(now: MonotonicInstant(nanoseconds: 0), wallOffset: 0)
      .response(self, requestID: requestID, asText: false)
  }
}
