import Glibc
import Synchronization

/// A thread that does something at regular intervals until it is stopped.
final class Pulse: Sendable {
  private struct State: @unchecked Sendable {
    var thread: pthread_t?
    var isStopped = false
  }

  private let state = Mutex(State())
  /// The thread looks at least this often whether to stop.
  private static let longestSleep: Int64 = 50_000_000

  /// Starts beating.
  ///
  /// Call once. False where there cannot be one more thread (`errno` says why).
  func start(every interval: Int64, _ beat: @escaping @Sendable () -> Void) -> Bool {
    let thread = startThread(named: "lh-pulse") { [self] in
      var next = Int64(monotonicNanoseconds()) + interval
      while !state.withLock({ $0.isStopped }) {
        let left = next - Int64(monotonicNanoseconds())
        if left > 0 {
          usleep(UInt32(min(left, Self.longestSleep) / 1000) + 1)
          continue
        }
        next += interval
        beat()
      }
    }
    state.withLock { $0.thread = thread }
    return thread != nil
  }

  /// Stops, and waits until it has.
  func stop() {
    let thread = state.withLock { state in
      state.isStopped = true
      defer { state.thread = nil }
      return state.thread
    }
    if let thread { pthread_join(thread, nil) }
  }
}

/// CLOCK_REALTIME less CLOCK_MONOTONIC, in nanoseconds.
func currentWallOffset() -> Int64 {
  var time = timespec()
  clock_gettime(CLOCK_REALTIME, &time)
  return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec) - Int64(monotonicNanoseconds())
}
