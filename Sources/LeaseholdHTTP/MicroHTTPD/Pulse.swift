import CMicroHTTPD
import Glibc
import Synchronization

/// A thread that does something at regular intervals until it is stopped.
final class Pulse: Sendable {
  private struct State: @unchecked Sendable {
    var thread: pthread_t?
    var isStopped = false
  }

  private let state = Mutex(State())
  /// Ends the thread's sleep (eventfd(2)).
  private let wake = eventfd(0, Int32(EFD_CLOEXEC))

  deinit { close(wake) }

  /// Starts beating.
  ///
  /// Call once. False where there cannot be one more thread (`errno` says why).
  func start(every interval: Int64, _ beat: @escaping @Sendable () -> Void) -> Bool {
    let thread = startThread(named: "lh-pulse") { [self] in
      var next = Int64(monotonicNanoseconds()) + interval
      while !state.withLock({ $0.isStopped }) {
        let left = next - Int64(monotonicNanoseconds())
        if left > 0 {
          var entry = pollfd(fd: wake, events: Int16(POLLIN), revents: 0)
          poll(&entry, 1, Int32(clamping: left / 1_000_000 + 1))
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
      eventfd_write(wake, 1)
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
