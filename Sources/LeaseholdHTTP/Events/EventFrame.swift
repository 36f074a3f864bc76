import Leasehold

/// An event as it goes over the wire, written once for all followers.
final class EventFrame: Sendable {
  let kind: EventKind
  let key: String
  /// The hash of the key, so that most are told apart without a look at the text.
  let keyHash: Int
  let bytes: [UInt8]

  /// `id`, `event` and `data` lines of an event.
  init(_ event: LedgerEvent, number: UInt64, epoch: UInt64, writer: AnswerWriter) {
    kind = event.kind
    key = event.key
    keyHash = ExactText(event.key).hashValue
    bytes = Self.frame(number, of: epoch) { frame in
      frame.append("\nevent: " as StaticString)
      frame.append(event.kind.name)
      frame.append("\ndata: " as StaticString)
      writer.event(event, number: number, into: &frame)
    }
  }

  /// The event that says that events are missing, and how many where that is known.
  static func gap(missed: UInt64?, reason: StaticString, before number: UInt64, epoch: UInt64) -> [UInt8] {
    frame(number - 1, of: epoch) { frame in
      frame.append("\nevent: gap\ndata: {\"missed\":" as StaticString)
      if let missed { frame.append(decimal: missed) } else { frame.append("null" as StaticString) }
      frame.append(",\"reason\":\"" as StaticString)
      frame.append(reason)
      frame.append("\"}" as StaticString)
    }
  }

  /// The beginning of a stream: how soon to come back, and where it stands, so that even a follower that got no event
  /// can go on.
  static func prelude(before number: UInt64, epoch: UInt64) -> [UInt8] {
    Array("retry: 2000\n".utf8) + frame(number - 1, of: epoch) { _ in }
  }

  private static func frame(
    _ number: UInt64, of epoch: UInt64, _ write: (inout ResponseBuffer) -> Void
  ) -> [UInt8] {
    var frame = ResponseBuffer(capacity: 384)
    frame.append("id: " as StaticString)
    frame.append(eventID: number, of: epoch)
    write(&frame)
    frame.append("\n\n" as StaticString)
    return frame.withBytes { Array($0) }
  }
}

extension ResponseBuffer {
  /// The name of an event: the life of the service, and the event's number in it.
  mutating func append(eventID number: UInt64, of epoch: UInt64) {
    append(hex: epoch)
    append(UInt8(ascii: "-"))
    append(decimal: number)
  }
}

extension AnswerWriter {
  /// An event as JSON.
  func event(_ event: LedgerEvent, number: UInt64, into json: inout ResponseBuffer) {
    json.append("{\"seq\":" as StaticString)
    json.append(decimal: number)
    json.append(",\"kind\":\"" as StaticString)
    json.append(event.kind.name)
    json.append("\",\"at\":" as StaticString)
    json.append(rfc3339: event.at &+ wallOffset)
    json.append(",\"key\":" as StaticString)
    json.append(json: event.key)
    if event.kind == .drift {
      json.member("reason", event.reason)
      json.member("units", Int(event.count))
      json.member("detail", event.text)
    } else if event.kind == .resized {
      json.member("limit", Int(event.count))
      json.member("reason", event.reason)
      json.member("by", event.text)
    } else {
      json.member("ref", event.ref == 0 ? nil : LeaseID(high: event.ref << 24, low: 0).ref)
      json.member("owner", event.text)
      json.member("mode", event.mode.name)
      json.member("count", Int(event.count))
      json.member("fence", event.fence == 0 ? nil : Int(event.fence))
      json.member("reason", event.kind == .noted ? nil : event.reason)
      if event.kind == .noted { json.member("note", event.reason) }
      if let note = event.breaking {
        if let end = note.end { json.member("breaking_in_ms", Int(max(0, (end.nanoseconds - event.at) / 1_000_000))) }
        json.member("break_reason", note.reason)
        json.member("by", note.by)
      }
    }
    if let trace = event.trace.traceID { json.member("trace_id", trace) }
    json.append(UInt8(ascii: "}"))
  }
}
