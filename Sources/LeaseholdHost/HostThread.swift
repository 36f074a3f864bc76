internal import CHost
import Glibc
import Synchronization

/// A thread of our own, for what may block in the kernel.
///
/// It takes no signals, as those are meant for threads that wait for them: but ``interrupt()``, and what a fault of its
/// own brings. Let the object go to leave the thread to itself, or ``join()`` it.
package final class HostThread: @unchecked Sendable {
  // Written once, before another thread can see the object.
  private let thread: pthread_t
  private let isJoined = Atomic(false)

  /// Starts a thread; `nil` when the process may have no more (EAGAIN: its pids limit, or no memory).
  ///
  /// - Parameters:
  ///   - name: At most 15 bytes; shown by `ps -L`.
  ///   - stackBytes: Reserved, and used only as far as the body does.
  package init?(
    named name: StaticString? = nil, stackBytes: Int = 256 * 1024, _ body: @escaping @Sendable () -> Void
  ) {
    precondition(name.map { $0.utf8CodeUnitCount <= 15 } ?? true, "a thread's name has at most 15 bytes")
    let attributes = UnsafeMutablePointer<pthread_attr_t>.allocate(capacity: 1)
    pthread_attr_init(attributes)
    defer {
      pthread_attr_destroy(attributes)
      attributes.deallocate()
    }
    pthread_attr_setstacksize(attributes, stackBytes)
    let box = Unmanaged.passRetained(
      Body {
        if let name { chost_name_thread(UnsafeRawPointer(name.utf8Start).assumingMemoryBound(to: CChar.self)) }
        body()
      })
    var handle = pthread_t()
    let result = HostThread.withoutSignals {
      pthread_create(
        &handle, attributes,
        { argument in
          if let argument { Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run() }
          return nil
        }, box.toOpaque())
    }
    guard result == 0 else {
      box.release()
      return nil
    }
    thread = handle
  }

  deinit {
    if !isJoined.load(ordering: .relaxed) { pthread_detach(thread) }
  }

  /// The stack for threads that run whole requests.
  package static let requestStackBytes = 1024 * 1024

  /// Waits until the thread has ended; called once at most.
  package func join() {
    precondition(!isJoined.exchange(true, ordering: .relaxed), "a thread is joined once")
    pthread_join(thread, nil)
  }

  /// Makes a system call that the thread sleeps in return EINTR; one that it is about to begin does not notice.
  ///
  /// After ``prepareInterrupts()``.
  func interrupt() { pthread_kill(thread, Self.interruptSignal) }

  /// Ignored by default, so that a stray one does nothing.
  ///
  /// The handler does nothing either, but unlike no handler it ends a semop with EINTR.
  private static let interruptSignal = SIGURG

  /// Installs the handler.
  ///
  /// Without SA_RESTART; semop(2) is never restarted anyway.
  static func prepareInterrupts() {
    var action = sigaction()
    action.__sigaction_handler.sa_handler = { _ in }
    sigaction(interruptSignal, &action, nil)
  }

  /// Blocks signals in this thread and in those that it starts: a thread that is to hear them accepts them again.
  ///
  /// Those of faults are not, as they would then end the process without a trace, and neither is ``interrupt()``'s.
  ///
  /// The corresponding C function is `pthread_sigmask`.
  package static func blockSignals() { _ = block() }

  /// Runs `body` with signals blocked, so that the threads it starts never take one that is meant for another.
  package static func withoutSignals<Result>(_ body: () -> Result) -> Result {
    var before = block()
    defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
    return body()
  }

  /// The signals that were blocked before.
  private static func block() -> sigset_t {
    var blocked = sigset_t()
    var before = sigset_t()
    sigfillset(&blocked)
    for signal in [SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT, interruptSignal] { sigdelset(&blocked, signal) }
    pthread_sigmask(SIG_SETMASK, &blocked, &before)
    return before
  }

  private final class Body {
    let run: @Sendable () -> Void

    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }
}
