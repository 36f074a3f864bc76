import Leasehold

extension AnswerWriter {
  /// A problem as the answer to an exchange: JSON, or one readable line for a caller that asked for text.
  func response(_ problem: LeaseholdError, to exchange: Exchange, asText: Bool) -> Response {
    exchange.withRequestID { response(problem, requestID: $0, asText: asText) }
  }

  /// The same for a thread that may not look into the request.
  func response(_ problem: LeaseholdError, requestID: [UInt8], asText: Bool) -> Response {
    requestID.span.withUnsafeBufferPointer { response(problem, requestID: $0, asText: asText) }
  }

  private func response(
    _ problem: LeaseholdError, requestID: UnsafeBufferPointer<UInt8>, asText: Bool
  ) -> Response {
    let row = ProblemTable.row(problem.code)
    var body = ResponseBuffer(capacity: 1024)
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
    _ problem: LeaseholdError, _ row: ProblemTable.Row, _ requestID: UnsafeBufferPointer<UInt8>,
    into json: inout ResponseBuffer
  ) {
    json.append("{\"type\":\"/problems/" as StaticString)
    json.append(problem.code.rawValue)
    json.append("\",\"title\":\"" as StaticString)
    json.append(row.title)
    json.append("\",\"status\":" as StaticString)
    json.append(decimal: Int(row.status))
    json.append(",\"detail\":\"" as StaticString)
    detail(of: problem, into: &json)
    json.append("\",\"code\":\"" as StaticString)
    json.append(problem.code.rawValue)
    json.append("\",\"request_id\":\"" as StaticString)
    json.append(contentsOf: requestID)
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

  /// Writes the sentence, escaped and without quotes: the most frequent one from its pieces.
  private func detail(of problem: LeaseholdError, into json: inout ResponseBuffer) {
    guard case .contention(let hindrance, let advice) = problem.wording, let key = problem.contention?.key,
      problem.contention?.queuedFor.isEmpty == true
    else { return json.append(inJSON: problem.sentence) }
    json.append("Lock '" as StaticString)
    json.append(inJSON: key.text)
    json.append("' " as StaticString)
    json.append(hindrance)
    json.append(advice)
    json.append(UInt8(ascii: "."))
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

  /// Writes what is in the way, with few appends: it is written for every refusal.
  private func contention(_ lock: Contention, into json: inout ResponseBuffer) {
    json.append(",\"errno\":\"EAGAIN\",\"key\":" as StaticString)
    json.append(json: lock.key.text)
    switch lock.kind {
    case .readersWriter: json.append(",\"kind\":\"rw\",\"limit\":" as StaticString)
    case .counting, .slots: json.append(",\"kind\":\"counting\",\"limit\":" as StaticString)
    }
    json.append(decimalOrNull: lock.kind.limit)
    json.append(",\"available\":" as StaticString)
    json.append(decimalOrNull: lock.available)
    json.append(",\"native_held\":" as StaticString)
    json.append(decimalOrNull: lock.nativeUnits)
    json.append(",\"holders\":" as StaticString)
    json.append(UInt8(ascii: "["))
    if let first = lock.first { listed(first, withKey: false, into: &json) }
    for other in lock.others {
      json.append(UInt8(ascii: ","))
      listed(other, withKey: false, into: &json)
    }
    json.append(UInt8(ascii: "]"))
    json.append(",\"cooling\":" as StaticString)
    json.append(decimal: lock.coolingCount)
    json.append(",\"waiters\":" as StaticString)
    json.append(decimal: lock.waiterCount)
    json.append(",\"queued_for\":" as StaticString)
    json.append(list: lock.queuedFor.isEmpty ? [] : lock.queuedFor.map(\.text))
  }
}

extension LeaseholdError {
  /// The answer to a request that was not read.
  func response(requestID: [UInt8]) -> Response {
    AnswerWriter(now: MonotonicInstant(nanoseconds: 0), wallOffset: 0)
      .response(self, requestID: requestID, asText: false)
  }
}
