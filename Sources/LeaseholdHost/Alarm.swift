import Glibc

/// Wakes a thread that sleeps with a deadline: a condition variable on CLOCK_MONOTONIC.
///
/// The kernel's timer behind it is exact to the thread's timer slack, 50 us (prctl(2), PR_SET_TIMERSLACK).
package final class Alarm: @unchecked Sendable {
  // The state below is guarded by the mutex; both live at stable addresses, as pthread asks.
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private var isRinging = false

  package init() {
    pthread_mutex_init(mutex, nil)
    var attributes = pthread_condattr_t()
    pthread_condattr_init(&attributes)
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    pthread_cond_init(condition, &attributes)
    pthread_condattr_destroy(&attributes)
  }

  deinit {
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(mutex)
    condition.deallocate()
    mutex.deallocate()
  }

  /// Ends the sleep, the current one or the next.
  package func ring() {
    pthread_mutex_lock(mutex)
    isRinging = true
    pthread_mutex_unlock(mutex)
    // Behind the mutex, so that the thread that wakes need not wait for it.
    pthread_cond_signal(condition)
  }

  /// Sleeps until it rings, or until a reading of CLOCK_MONOTONIC in nanoseconds.
  package func sleep(until instant: Int64 = .max) {
    pthread_mutex_lock(mutex)
    HostClock.withTimespec(nanoseconds: max(0, instant)) { time in
      while !isRinging, pthread_cond_timedwait(condition, mutex, time) == 0 {}
    }
    isRinging = false
    pthread_mutex_unlock(mutex)
  }
}
