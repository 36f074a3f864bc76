internal import Glibc
internal import Leasehold
internal import Logging

/// The daemon's log on standard error.
struct DaemonLog: Sendable {
  let logger: Logger
  let lines: LogQueue

  /// Starts the thread that writes.
  ///
  /// - Throws: An error when there cannot be one more thread.
  init(options: ServeOptions, environment: [String: String]) throws(Failure) {
    var sink = LogSink.standardError
    sink.isJournal = LogSink.isJournal(descriptor: sink.descriptor, environment: environment)
    var handler = LineHandler(sink: sink, form: options.logFormat)
    let form = handler
    guard let lines = LogQueue(descriptor: sink.descriptor, gapLine: { form.line(of: .missingLines($0)) }) else {
      throw Failure("there cannot be one more thread: see ulimit -u, TasksMax=", .cannotCreate)
    }
    handler.sink.queue = lines
    let complete = handler
    var logger = Logger(label: "leasehold") { _ in complete }
    logger.logLevel = Logger.Level(rawValue: options.logLevel) ?? .info
    self.logger = logger
    self.lines = lines
  }

  /// Gives what was logged a second to be written, before the process ends.
  func flush() { lines.flush(within: .seconds(1)) }
}

extension LogEvent {
  /// Tells of lines that were dropped.
  static func missingLines(_ count: UInt64) -> LogEvent {
    LogEvent(
      level: .warning, message: "\(count) lines were dropped: who reads this log did not keep up, or could not be had",
      metadata: ["lines_dropped": .stringConvertible(count)], source: "leasehold", file: "", function: "", line: 0)
  }
}
