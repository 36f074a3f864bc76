import Leasehold

/// `/events`: what happens, as server-sent events.
enum Events {
  static func follow(_ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    let server = call.server
    let filter = EventFilter(
      key: try call.eventKey(), kinds: try call.eventKinds(), confinement: call.confinement)
    let eventsMax = try call.number(.limit, 1, 1_000_000)
    let wait = try call.span(.wait, .zero, .seconds(24 * 3600))
    let numbers = server.engine.events.events(from: 0, limit: 0)
    let (start, gap) = try call.eventStart(numbers)
    try call.checkVersion("events")
    if call.exchange.method == .head {
      return call.respond(Response(status: 200, contentType: "text/event-stream", body: ResponseBuffer()))
    }
    guard !server.isDraining else {
      throw LeaseholdError(.draining, "The service is stopping; follow the events of the one that comes after it.")
    }
    let prelude = EventFrame.prelude(before: start, epoch: numbers.epoch) + gap
    let claim = try call.caller.account?.claim(.streams)
    let subscriber = EventSubscriber(server.events, filter, from: start, prelude: prelude, claim)
    subscriber.left = eventsMax
    if let wait {
      if wait == .zero {
        subscriber.last = numbers.next
      } else {
        subscriber.deadline = (call.now + wait).nanoseconds
      }
    }
    let stream = StreamBody(source: subscriber)
    try server.events.add(subscriber, stream, wallOffset: call.writer.wallOffset)
    call.exchange.context.pending = subscriber
    return call.respond(Response(status: 200, contentType: "text/event-stream", stream: stream))
  }
}

extension Call {
  /// `key`: a lock's name, or with a star behind it the beginning of names.
  fileprivate func eventKey() throws(LeaseholdError) -> EventFilter.Key? {
    guard let text = arguments[.key] else { return nil }
    if text.utf8.last == UInt8(ascii: "*") { return .prefix(String(text.unicodeScalars.dropLast())) }
    return .exact(text, hash: ExactText(text).hashValue)
  }

  /// `kind`: words with commas between them.
  fileprivate func eventKinds() throws(LeaseholdError) -> UInt32 {
    guard let text = arguments[.kind] else { return .max }
    var kinds: UInt32 = 0
    for word in text.split(separator: ",", omittingEmptySubsequences: false) {
      guard let kind = EventKind.allCases.first(where: { $0.name == word }) else {
        throw .notOneOf(.kind, text, EventKind.allCases.map(\.name))
      }
      kinds |= 1 << UInt32(kind.rawValue)
    }
    return kinds
  }

  /// Where to begin, and the word about what is missing before it.
  fileprivate func eventStart(_ numbers: EventBatch) throws(LeaseholdError) -> (UInt64, gap: [UInt8]) {
    let header = exchange.header(.lastEventID).map { String(decoding: $0, as: UTF8.self) }
    guard let text = arguments[.since] ?? header, !text.isEmpty else { return (numbers.next, []) }
    if text == "oldest" { return (numbers.oldest, []) }
    let parts = text.split(separator: "-", omittingEmptySubsequences: false)
    let isPlain = text.utf8.allSatisfy { $0 != UInt8(ascii: "+") && !(0x41...0x5a).contains($0) }
    guard isPlain, parts.count == 2, parts[0].count == 16, let epoch = UInt64(parts[0], radix: 16),
      let number = UInt64(parts[1])
    else { throw .invalid(.since, text, "(or Last-Event-ID) must be the id of an event, or 'oldest'") }
    let gap = { (missed: UInt64?, reason: StaticString) in
      EventFrame.gap(missed: missed, reason: reason, before: numbers.oldest, epoch: numbers.epoch)
    }
    guard epoch == numbers.epoch, number < numbers.next else { return (numbers.oldest, gap(nil, "other-life")) }
    guard number + 1 < numbers.oldest else { return (number + 1, []) }
    return (numbers.oldest, gap(numbers.oldest - number - 1, "too-old"))
  }
}

extension LeaseholdError {
  /// As many follow as may.
  static func tooManySubscribers(_ subscribersMax: Int) -> LeaseholdError {
    LeaseholdError(
      .tooManySubscribers,
      "\(subscribersMax) follow the events, the service's maximum (max-event-subscribers); try again later.",
      facts: [("limit", .text("max-event-subscribers")), ("maximum", .number(Int64(subscribersMax)))],
      retryAfter: .seconds(1))
  }
}
