internal import Logging

/// One line an event for people: time, level, message, then `name=value` sorted by name.
struct PlainLogHandler: LineHandler {
  var logLevel: Logger.Level = .info
  var metadata: Logger.Metadata = [:]
  var metadataProvider: Logger.MetadataProvider?
  var sink: LogSink

  init(sink: LogSink) {
    self.sink = sink
  }

  subscript(metadataKey key: String) -> Logger.MetadataValue? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func line(of event: LogEvent) -> String {
    var line = sink.prefix(event.level)
    if !sink.isJournal {
      line += timestamp(nanoseconds: sink.wallClock()) + " " + event.level.rawValue + " "
    }
    line += VisibleText.escaped(event.message.description, withQuotes: false)
    for (name, value) in mergedMetadata(of: event).sorted(by: { $0.key < $1.key }) {
      line += " "
      PlainLogHandler.append(name, to: &line)
      line += "="
      PlainLogHandler.append(value.description, to: &line)
    }
    return line + "\n"
  }

  /// Quotes what would not be read back as one word.
  private static func append(_ text: String, to line: inout String) {
    let isWord =
      !text.isEmpty
      && text.unicodeScalars.allSatisfy { $0.value > 0x20 && $0 != "\"" && $0 != "=" && $0 != "\\" }
    if isWord {
      line += VisibleText.escaped(text, withQuotes: false)
    } else {
      line += VisibleText.quoted(text)
    }
  }
}

extension LogHandler {
  /// The handler's metadata, those of the provider and those of the event; the later win.
  func mergedMetadata(of event: LogEvent) -> Logger.Metadata {
    var merged = metadata
    if let provided = metadataProvider?.get() { merged.merge(provided) { $1 } }
    if let own = event.metadata { merged.merge(own) { $1 } }
    if let error = event.error { merged["error"] = "\(error)" }
    return merged
  }
}
