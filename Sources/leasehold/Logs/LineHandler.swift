internal import Logging

/// Writes each event as one line, in one of two forms; the line can be had without writing it.
struct LineHandler: LogHandler {
  var logLevel: Logger.Level = .info
  var metadata: Logger.Metadata = [:]
  var sink: LogSink
  let form: ServeOptions.LogFormat

  subscript(metadataKey key: String) -> Logger.MetadataValue? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) { sink.write(line(of: event)) }

  /// The line of an event, with its newline.
  func line(of event: LogEvent) -> String {
    let members = mergedMetadata(of: event).sorted { $0.key < $1.key }
    let line =
      switch form {
      case .plain: plain(event, members)
      case .json: json(event, members)
      }
    return (sink.isJournal ? "<\(event.level.journalPriority)>" : "") + line + "\n"
  }

  /// The handler's metadata and those of the event; the later win.
  private func mergedMetadata(of event: LogEvent) -> Logger.Metadata {
    var merged = metadata
    if let own = event.metadata { merged.merge(own) { $1 } }
    if let error = event.error { merged["error"] = "\(error)" }
    return merged
  }
}

// For people: time, level, message, then `name=value` sorted by name.
extension LineHandler {
  private func plain(_ event: LogEvent, _ members: [(key: String, value: Logger.MetadataValue)]) -> String {
    var line = sink.isJournal ? "" : timestamp(nanoseconds: sink.wallClock()) + " " + event.level.rawValue + " "
    line += VisibleText.escaped(event.message.description, withQuotes: false)
    for (name, value) in members { line += " " + Self.word(name) + "=" + Self.word(value.description) }
    return line
  }

  /// Quotes what would not be read back as one word.
  private static func word(_ text: String) -> String {
    let isWord =
      !text.isEmpty
      && text.unicodeScalars.allSatisfy { $0.value > 0x20 && $0 != "\"" && $0 != "=" && $0 != "\\" }
    return isWord ? VisibleText.escaped(text, withQuotes: false) : VisibleText.quoted(text)
  }
}

// One JSON object: `time`, `level`, `message`, then the metadata under their own names. For the journal the priority
// stands before it, and the object is what the journal keeps.
extension LineHandler {
  private static let reserved: Set<String> = ["time", "level", "message"]

  private func json(_ event: LogEvent, _ members: [(key: String, value: Logger.MetadataValue)]) -> String {
    var line = "{\"time\":\"\(timestamp(nanoseconds: sink.wallClock()))\",\"level\":\"\(event.level)\",\"message\":"
    line += VisibleText.quoted(event.message.description)
    for (name, value) in members {
      line +=
        "," + VisibleText.quoted(Self.reserved.contains(name) ? "metadata." + name : name) + ":" + Self.json(value)
    }
    return line + "}"
  }

  private static func json(_ value: Logger.MetadataValue) -> String {
    switch value {
    case .string(let text): VisibleText.quoted(text)
    case .stringConvertible(let number as any FixedWidthInteger): number.description
    case .stringConvertible(let number as Double) where number.isFinite: number.description
    case .stringConvertible(let isTrue as Bool): isTrue ? "true" : "false"
    case .stringConvertible(let other): VisibleText.quoted(other.description)
    case .array(let elements): "[" + elements.map(json).joined(separator: ",") + "]"
    case .dictionary(let members):
      "{"
        + members.sorted { $0.key < $1.key }.map { VisibleText.quoted($0.key) + ":" + json($0.value) }
        .joined(separator: ",") + "}"
    }
  }
}
