internal import Glibc
internal import Logging

extension Logger {
  /// The daemon's log on standard error.
  init(settings: ServeSettings, environment: [String: String]) {
    var sink = LogSink.standardError
    sink.isJournal = LogSink.isJournal(descriptor: sink.descriptor, environment: environment)
    let handler: any LogHandler =
      switch settings.logFormat {
      case .plain: PlainLogHandler(sink: sink)
      case .json: JSONLogHandler(sink: sink)
      }
    self.init(label: "leasehold") { _ in handler }
    logLevel = Logger.Level(rawValue: settings.logLevel) ?? .info
  }
}
