internal import Glibc
internal import LeaseholdHost
internal import Logging

/// Where log lines go, and all that decides on their form besides the event.
struct LogSink: Sendable {
  let descriptor: Int32
  /// The journal adds the time by itself and takes the priority from `<N>`, which it cuts off (sd-daemon(3)).
  var isJournal = false
  /// Nanoseconds since 1970.
  var wallClock: @Sendable () -> Int64 = HostClock.wall
  /// Takes the lines of the daemon, which never waits for their reader; without it they are written at once.
  var queue: LogQueue?

  static let standardError = LogSink(descriptor: STDERR_FILENO)

  /// Writes a line, or queues it.
  func write(_ line: String) {
    if let queue { return queue.append(line) }
    var writer = LineWriter(descriptor: descriptor)
    _ = writer.write(line)
  }

  /// Returns true when `$JOURNAL_STREAM` names the file behind the descriptor; a shell inherits the variable without
  /// the file.
  static func isJournal(descriptor: Int32, environment: [String: String]) -> Bool {
    guard let stream = environment["JOURNAL_STREAM"] else { return false }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { return false }
    return stream == "\(status.st_dev):\(status.st_ino)"
  }
}

extension Logger.Level {
  /// The priorities of syslog(3).
  var journalPriority: Int {
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
