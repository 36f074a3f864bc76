internal import LeaseholdHost
import Synchronization

/// A thread with a connection of its own, on which requests block.
///
/// A request may wait for a lock for an hour; threads that tasks share must not be kept that long.
final class Worker: Sendable {
  private struct State {
    var job: (@Sendable (LeaseholdConnection) -> Void)?
    var isDismissed = false
  }

  let connection: LeaseholdConnection
  private let state = Mutex(State())
  private let alarm = Alarm()

  init(_ endpoint: ServiceEndpoint) {
    connection = LeaseholdConnection(endpoint)
    // Without a thread nothing would ever answer.
    if HostThread(stackBytes: HostThread.requestStackBytes, { [self] in work() }) == nil { connection.abort() }
  }

  /// Runs the job on the thread; the one before must be over.
  func run(_ job: @escaping @Sendable (LeaseholdConnection) -> Void) {
    state.withLock { $0.job = job }
    alarm.ring()
  }

  /// Ends the thread once it is idle.
  func dismiss() {
    state.withLock { $0.isDismissed = true }
    alarm.ring()
  }

  private func work() {
    while true {
      alarm.sleep()
      let (job, isDismissed) = state.withLock { state in
        defer { state.job = nil }
        return (state.job, state.isDismissed)
      }
      job?(connection)
      if isDismissed { return }
    }
  }
}
