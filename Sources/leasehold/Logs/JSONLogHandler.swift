internal import Logging

/// One JSON object a line: `time`, `level`, `message`, then the metadata under their own names.
///
/// For the journal the priority stands before it, and the object is what the journal keeps.
struct JSONLogHandler: LineHandler {
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

  private static let reserved: Set<String> = ["time", "level", "message"]

  func line(of event: LogEvent) -> String {
    var line = sink.prefix(event.level)
    line += "{\"time\":\"\(timestamp(nanoseconds: sink.wallClock()))\",\"level\":\"\(event.level)\",\"message\":"
    line += VisibleText.quoted(event.message.description)
    for (name, value) in mergedMetadata(of: event).sorted(by: { $0.key < $1.key }) {
      line += ","
      line += VisibleText.quoted(JSONLogHandler.reserved.contains(name) ? "metadata." + name : name)
      line += ":"
      JSONLogHandler.append(value, to: &line)
    }
    return line + "}\n"
  }

  private static func append(_ value: Logger.MetadataValue, to line: inout String) {
    switch value {
    case .string(let text): line += VisibleText.quoted(text)
    case .stringConvertible(let number as any FixedWidthInteger): line += number.description
    case .stringConvertible(let number as Double) where number.isFinite: line += number.description
    case .stringConvertible(let isTrue as Bool): line += isTrue ? "true" : "false"
    case .stringConvertible(let other): line += VisibleText.quoted(other.description)
    case .array(let elements):
      line += "["
      for (index, element) in elements.enumerated() {
        if index > 0 { line += "," }
        append(element, to: &line)
      }
      line += "]"
    case .dictionary(let members):
      line += "{"
      for (index, member) in members.sorted(by: { $0.key < $1.key }).enumerated() {
        if index > 0 { line += "," }
        line += VisibleText.quoted(member.key)
        line += ":"
        append(member.value, to: &line)
      }
      line += "}"
    }
  }
}
