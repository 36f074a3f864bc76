import Leasehold

extension AnswerWriter {
  /// A problem as the answer to an exchange: JSON, or one readable line for a caller that asked for text.
  func response(_ problem: LeaseholdError, to exchange: Exchange, asText: Bool) -> Response {
    response(problem, asText: asText) { $0.append(exchange.requestID) }
  }

  /// The same for a thread that may not look into the request.
  func response(_ problem: LeaseholdError, requestID: [UInt8], asText: Bool) -> Response {
    response(problem, asText: asText) { json in requestID.withUnsafeBufferPointer { json.append(contentsOf: $0) } }
  }

  @inline(__always)
  private func response(
    _ problem: LeaseholdError, asText: Bool, _ appendRequestID: (inout ResponseBuffer) -> Void
  ) -> Response {
    let row = ProblemTable.row(problem.code)
    var body = ResponseBuffer(capacity: 1024)
    if asText {
      body.append(problem.code.rawValue)
      body.append(": " as StaticString)
      body.append(problem.sentence)
      body.append(UInt8(ascii: "\n"))
    } else {
      write(problem, row, appendRequestID, into: &body)
    }
    var response = Response(
      status: row.status,
      contentType: asText ? "text/plain; charset=utf-8" : "application/problem+json", body: body)
    if let challenge = row.challenge { response.add("WWW-Authenticate", challenge) }
    if let pause = problem.pause { response.retryAfterSeconds = UInt16(clamping: pause.secondsRoundedUp) }
    return response
  }

  @inline(__always)
  private func write(
    _ problem: LeaseholdError, _ row: ProblemTable.Row, _ appendRequestID: (inout ResponseBuffer) -> Void,
    into json: inout ResponseBuffer
  ) {
    row.before.withUnsafeBufferPointer { json.append(contentsOf: $0) }
    detail(of: problem, into: &json)
    row.behind.withUnsafeBufferPointer { json.append(contentsOf: $0) }
    appendRequestID(&json)
    json.append(UInt8(ascii: "\""))
    assert(
      row.status != 410
        || ["key", "ref", "reason", "ended_at"].allSatisfy { name in
          problem.facts.contains { $0.name == name }
        }, "a 410 has a shape of its own: make it with LeaseholdError.gone")
    for fact in problem.facts { self.fact(fact, into: &json) }
    if let circle = problem.circle { self.circle(circle, into: &json) }
    contention(of: problem, into: &json)
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

  /// Writes what is in the way, if something is, with few appends: it is written for every refusal.
  ///
  /// Each fact is read where it is: all together they are large to copy.
  private func contention(of problem: LeaseholdError, into json: inout ResponseBuffer) {
    guard let key = problem.contention?.key, let kind = problem.contention?.kind else { return }
    json.append(",\"errno\":\"EAGAIN\",\"key\":\"" as StaticString)
    json.append(inJSON: key.text)
    switch kind {
    case .readersWriter: json.append("\",\"kind\":\"rw\",\"limit\":" as StaticString)
    case .counting, .slots: json.append("\",\"kind\":\"counting\",\"limit\":" as StaticString)
    }
    json.append(decimalOrNull: kind.limit)
    json.append(",\"available\":" as StaticString)
    json.append(decimalOrNull: problem.contention?.available)
    json.append(",\"native_held\":" as StaticString)
    json.append(decimalOrNull: problem.contention?.nativeUnits)
    json.append(",\"holders\":[" as StaticString)
    if let first = problem.contention?.first { holder(first, into: &json) }
    if problem.contention?.others.isEmpty == false {
      for other in problem.contention?.others ?? [] {
        json.append(UInt8(ascii: ","))
        holder(other, into: &json)
      }
    }
    json.append("],\"cooling\":", decimal: problem.contention?.coolingCount ?? 0)
    json.append(",\"waiters\":", decimal: problem.contention?.waiterCount ?? 0)
    json.append(",\"queued_for\":" as StaticString)
    json.append(list: problem.contention?.queuedFor.map(\.text) ?? [])
  }
}
