import Glibc

/// A thread of our own with a small stack, for loops that block in the kernel.
package final class HostThread: @unchecked Sendable {
  // Written once, before anybody else can see the object.
  private let thread: pthread_t

  /// Starts a thread; `nil` when the process may have no more (EAGAIN, pids limit).
  ///
  /// - Parameter name: At most 15 bytes; shown by `ps -L`.
  package init?(named name: StaticString? = nil, _ body: @escaping @Sendable () -> Void) {
    let attributes = UnsafeMutablePointer<pthread_attr_t>.allocate(capacity: 1)
    pthread_attr_init(attributes)
    defer {
      pthread_attr_destroy(attributes)
      attributes.deallocate()
    }
    pthread_attr_setstacksize(attributes, 256 * 1024)
    let box = Unmanaged.passRetained(Body(name, body))
    var handle = pthread_t()
    let result = pthread_create(
      &handle, attributes,
      { argument in
        HostThread.acceptInterrupts()
        if let argument { Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run() }
        return nil
      }, box.toOpaque())
    guard result == 0 else {
      box.release()
      return nil
    }
    thread = handle
  }

  /// A thread inherits which signals are blocked, and one that Dispatch or libmicrohttpd started has them all blocked.
  private static func acceptInterrupts() {
    let signals = UnsafeMutablePointer<sigset_t>.allocate(capacity: 1)
    defer { signals.deallocate() }
    sigemptyset(signals)
    sigaddset(signals, interruptSignal)
    pthread_sigmask(SIG_UNBLOCK, signals, nil)
  }

  /// Sleeps.
  static func pause(seconds: UInt32) { sleep(seconds) }

  /// Waits until the thread has ended.
  ///
  /// Call once, or ``detach()``.
  package func join() { pthread_join(thread, nil) }

  /// Leaves the thread to itself: nobody waits for its end.
  package func detach() { pthread_detach(thread) }

  /// Makes a system call that the thread sleeps in return EINTR.
  func interrupt() { pthread_kill(thread, Self.interruptSignal) }

  /// Ignored by default, so that a stray one does nothing.
  ///
  /// The handler does nothing either, but unlike no handler it ends a semop with EINTR.
  static let interruptSignal = SIGURG

  /// Installs the handler.
  ///
  /// Without SA_RESTART; semop(2) is never restarted anyway.
  static func prepareInterrupts() {
    var action = sigaction()
    action.__sigaction_handler.sa_handler = { _ in }
    sigaction(interruptSignal, &action, nil)
  }

  private final class Body {
    private let name: StaticString?
    private let body: @Sendable () -> Void

    init(_ name: StaticString?, _ body: @escaping @Sendable () -> Void) {
      self.name = name
      self.body = body
    }

    func run() {
      if let name { takeName(name) }
      body()
    }

    /// The calls that name a thread are variadic, or GNU's own, which Swift does not see.
    private func takeName(_ name: StaticString) {
      let file = open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
      guard file >= 0 else { return }
      _ = write(file, name.utf8Start, name.utf8CodeUnitCount)
      close(file)
    }
  }
}

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
    pthread_cond_signal(condition)
    pthread_mutex_unlock(mutex)
  }

  /// Sleeps until a reading of CLOCK_MONOTONIC in nanoseconds, or until it rings.
  package func sleep(until instant: Int64) {
    pthread_mutex_lock(mutex)
    HostClock.withTimespec(nanoseconds: max(0, instant)) { time in
      while !isRinging, pthread_cond_timedwait(condition, mutex, time) == 0 {}
    }
    isRinging = false
    pthread_mutex_unlock(mutex)
  }

  /// Sleeps until it rings.
  package func sleep() {
    pthread_mutex_lock(mutex)
    while !isRinging { pthread_cond_wait(condition, mutex) }
    isRinging = false
    pthread_mutex_unlock(mutex)
  }
}
