#if DEBUG
  import LeaseholdHost
  import Synchronization

  /// A thread that does things later, in the order in which they are due.
  final class DelayTimer: Sendable {
    private struct State {
      var due: [(at: Int64, body: @Sendable () -> Void)] = []
      var isRunning = false
    }

    private let state = Mutex(State())
    private let alarm = Alarm()

    /// Does something after so many nanoseconds, on the timer's thread.
    func after(_ nanoseconds: Int64, _ body: @escaping @Sendable () -> Void) {
      let at = HostClock.monotonic() &+ nanoseconds
      let mustStart = state.withLock { state in
        let index = state.due.lastIndex { $0.at <= at }.map { $0 + 1 } ?? 0
        state.due.insert((at, body), at: index)
        defer { state.isRunning = true }
        return !state.isRunning
      }
      if mustStart {
        _ = HostThread(named: "lh-delays") { [self] in run() }
      } else {
        alarm.ring()
      }
    }

    private func run() {
      while true {
        let now = HostClock.monotonic()
        let (ready, next) = state.withLock { state in
          let count = state.due.prefix { $0.at <= now }.count
          defer { state.due.removeFirst(count) }
          return (state.due.prefix(count).map(\.body), state.due.dropFirst(count).first?.at)
        }
        for body in ready { body() }
        if ready.isEmpty { alarm.sleep(until: next ?? .max) }
      }
    }
  }
#endif
