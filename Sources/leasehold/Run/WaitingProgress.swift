internal import Dispatch
internal import Glibc
internal import LeaseholdClient
import Synchronization

/// Says on a terminal whom we wait for, and how many are before us.
final class WaitingProgress: Sendable {
  private struct State {
    var isOver = false
    var hasWritten = false
    var connection: LeaseholdConnection?
  }

  private let endpoint: ServiceEndpoint
  private let key: String
  private let state = Mutex(State())

  private init(endpoint: ServiceEndpoint, key: String) {
    self.endpoint = endpoint
    self.key = key
  }

  /// Begins to look once a second; `nil` when standard error is no terminal.
  static func start(endpoint: ServiceEndpoint, keys: [String]) -> WaitingProgress? {
    guard isatty(STDERR_FILENO) == 1, let key = keys.first else { return nil }
    let progress = WaitingProgress(endpoint: endpoint, key: key)
    DispatchQueue.global().async { progress.look() }
    return progress
  }

  /// Names the connection whose request waits.
  func watch(_ connection: LeaseholdConnection) {
    state.withLock { $0.connection = connection }
  }

  /// Ends, and clears the line.
  func stop() {
    state.withLock { state in
      state.isOver = true
      if state.hasWritten { LogSink.standardError.write("\r\u{1b}[K") }
    }
  }

  private func look() {
    let asking = LeaseholdConnection(endpoint)
    var seconds = 0
    while true {
      // Most waits are short: nothing is said about them.
      poll(nil, 0, seconds == 0 ? 400 : 1000)
      if state.withLock(\.isOver) { return }
      seconds += 1
      guard let answer = try? asking.send(Request("GET", ["locks", key])).json else { continue }
      let port = state.withLock(\.connection)?.localPort
      let line = Self.line(key: key, lock: answer, port: port, pid: getpid())
      state.withLock { state in
        guard !state.isOver else { return }
        state.hasWritten = true
        let columns = Int(Screen.size(of: STDERR_FILENO).ws_col)
        // Of a line that wraps, only the end could be overwritten.
        LogSink.standardError.write("\r\u{1b}[K" + Table.clean(line).prefix(columns > 1 ? columns - 1 : 78))
      }
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
