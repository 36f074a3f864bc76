internal import Glibc
internal import LeaseholdClient
internal import LeaseholdHost
import Synchronization

/// Looks after a request that waits: whether the service still answers at all, and, on a terminal, which holder we wait
/// for and how many are before us.
final class WaitWatch: Sendable {
  private struct State {
    var isOver = false
    var hasWritten = false
    var isSilent = false
  }

  /// The time between two looks where no terminal shows what they tell.
  private static let pause = Duration.seconds(5)
  /// The longest time of an answer, and the number of missed ones after which the service counts as gone.
  private static let (patience, missesMax) = (Duration.seconds(5), 3)

  /// The request that waits goes by this one, and is aborted when the service falls silent.
  private let connection: LeaseholdConnection
  /// The lock to tell about; `nil` without a terminal.
  private let key: String?
  private let state = Mutex(State())
  private let alarm = Alarm()

  private init(_ connection: LeaseholdConnection, key: String?) {
    self.connection = connection
    self.key = key
  }

  /// Runs the body, which waits for an answer over a connection, and looks after it meanwhile.
  ///
  /// - Parameters:
  ///   - isNeeded: Whether it waits at all.
  ///   - key: The lock, or the first of several; `nil` where there is none to tell about.
  static func during<Value>(
    _ connection: LeaseholdConnection, isNeeded: Bool, key: String?, quiet: Bool,
    _ body: (WaitWatch?) throws(ClientError) -> Value
  ) throws(ClientError) -> Value {
    guard isNeeded else { return try body(nil) }
    let watch = WaitWatch(connection, key: !quiet && isatty(STDERR_FILENO) == 1 ? key : nil)
    defer { watch.stop() }
    // Without a thread nothing is told, and a wait ends all the same.
    _ = HostThread(stackBytes: HostThread.requestStackBytes) { watch.look() }
    do {
      return try body(watch)
    } catch {
      // The service took connections and answered none: then the request has been aborted.
      throw error == .canceled && watch.state.withLock(\.isSilent) ? .timedOut(connection.endpoint.address) : error
    }
  }

  /// Ends looking, and clears the line.
  func stop() {
    state.withLock { state in
      if !state.isOver, state.hasWritten { LogSink.standardError.write("\r\u{1b}[K") }
      state.isOver = true
    }
    alarm.ring()
  }

  private func look() {
    let request = Request("GET", key.map { ["locks", $0] } ?? ["healthz"]).within(Self.patience)
    var telling = LeaseholdConnection(connection.endpoint)
    var misses = 0
    // Most waits are short: nothing is said about them.
    alarm.sleep(until: HostClock.monotonic(after: key == nil ? Self.pause : .milliseconds(400)))
    while !state.withLock(\.isOver) {
      do throws(ClientError) {
        let answer = try telling.send(request).json
        misses = 0
        if let key { tell(key, answer) }
      } catch .timedOut {
        misses += 1
        if misses == Self.missesMax { return giveUp() }
        continue
      } catch {
        // The request that waits hears of that by itself.
      }
      // A connection for each waiter is enough, where no terminal shows more.
      if key == nil { telling = LeaseholdConnection(connection.endpoint) }
      alarm.sleep(until: HostClock.monotonic(after: key == nil ? Self.pause : .seconds(1)))
    }
  }

  private func giveUp() {
    let isWaiting = state.withLock { state in
      state.isSilent = !state.isOver
      return state.isSilent
    }
    if isWaiting { connection.abort() }
  }

  private func tell(_ key: String, _ answer: JSON) {
    let line = Self.line(key: key, lock: answer, port: connection.localPort, pid: getpid())
    state.withLock { state in
      guard !state.isOver else { return }
      state.hasWritten = true
      let columns = Int(Screen.size(of: STDERR_FILENO).ws_col)
      // Of a line that wraps, only the end could be overwritten.
      LogSink.standardError.write("\r\u{1b}[K" + VisibleText.of(line).prefix(columns > 1 ? columns - 1 : 78))
    }
  }

  /// One line, as long as it comes.
  static func line(key: String, lock: JSON, port: UInt16?, pid: Int32) -> String {
    let waiters = lock["waiters"].elements
    let place = waiters.firstIndex { waiter in
      if let port { return waiter["peer"].string?.hasSuffix(":\(port)") ?? false }
      return waiter["pid"].int == Int64(pid)
    }
    var line = "leasehold: waiting for \(key)"
    if let place { line += ", \(place + 1) of \(waiters.count)" }
    if let holder = lock["holders"].elements.first { line += ", held by " + HolderText.text(holder) }
    return line
  }
}
