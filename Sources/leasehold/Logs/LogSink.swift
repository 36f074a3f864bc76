internal import Glibc
internal import Logging

/// Where log lines go, and all that decides on their form besides the event.
struct LogSink: Sendable {
  let descriptor: Int32
  /// The journal adds the time by itself and takes the priority from `<N>`, which it cuts off (sd-daemon(3)).
  var isJournal = false
  /// Nanoseconds since 1970.
  var wallClock: @Sendable () -> Int64 = LogSink.realTime

  static let standardError = LogSink(descriptor: STDERR_FILENO)

  /// What a line begins with: the priority for the journal, whatever the line's form.
  func prefix(_ level: Logger.Level) -> String { isJournal ? "<\(level.journalPriority)>" : "" }

  /// Writes a line with one call, so that lines of threads do not mix; a second call only when the first fell short.
  func write(_ line: String) {
    var line = line
    line.withUTF8 { bytes in
      var rest = UnsafeRawBufferPointer(bytes)
      while !rest.isEmpty {
        let count = Glibc.write(descriptor, rest.baseAddress, rest.count)
        if count < 0 && errno == EINTR { continue }
        if count <= 0 { return }
        rest = UnsafeRawBufferPointer(rebasing: rest[count...])
      }
    }
  }

  /// Whether `$JOURNAL_STREAM` names the file behind the descriptor; a shell inherits the variable without the file.
  static func isJournal(descriptor: Int32, environment: [String: String]) -> Bool {
    guard let stream = environment["JOURNAL_STREAM"] else { return false }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { return false }
    return stream == "\(status.st_dev):\(status.st_ino)"
  }

  private static func realTime() -> Int64 {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    return Int64(now.tv_sec) * 1_000_000_000 + Int64(now.tv_nsec)
  }
}

extension Logger.Level {
  /// The priorities of syslog(3).
  fileprivate var journalPriority: Int {
    switch self {
    case .trace, .debug: 7
    case .info: 6
    case .notice: 5
    case .warning: 4
    case .error: 3
    case .critical: 2
    }
  }
}
