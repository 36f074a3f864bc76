import LeaseholdHost
import Synchronization

/// A thread that does something at regular intervals until it is stopped.
final class Pulse: Sendable {
  private let thread = Mutex<HostThread?>(nil)
  private let isStopped = Atomic(false)
  private let alarm = Alarm()

  /// Starts beating.
  ///
  /// Call once. False where there cannot be one more thread.
  func start(every interval: Int64, _ beat: @escaping @Sendable () -> Void) -> Bool {
    let started = HostThread(named: "lh-pulse", stackBytes: HostThread.requestStackBytes) { [self] in
      var next = HostClock.monotonic() + interval
      while true {
        alarm.sleep(until: next)
        if isStopped.load(ordering: .sequentiallyConsistent) { return }
        next += interval
        beat()
      }
    }
    thread.withLock { $0 = started }
    return started != nil
  }

  /// Stops, and waits until it has.
  func stop() {
    isStopped.store(true, ordering: .sequentiallyConsistent)
    alarm.ring()
    thread.withLock { $0.take() }?.join()
  }
}
