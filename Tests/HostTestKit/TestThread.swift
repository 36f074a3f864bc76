import Glibc
import Synchronization

/// A thread with a result, that can be sent a signal.
package final class TestThread<Value: Sendable>: Sendable {
  private let value: Result
  private let thread: pthread_t

  package init(_ body: @escaping @Sendable () -> Value) {
    let value = Result()
    self.value = value
    thread = start { value.put(body()) }
  }

  /// Waits for the end of the thread; if it does not come, throws, and leaves the thread behind.
  package func result() throws -> Value {
    try eventually { value.get() != nil }
    return join()
  }

  /// Waits for the end of the thread.
  package func join() -> Value {
    pthread_join(thread, nil)
    guard let value = value.get() else { preconditionFailure("the thread has not run") }
    return value
  }

  /// Interrupts the system call the thread is in, if it is in one.
  package func interrupt() {
    var action = sigaction()
    action.__sigaction_handler.sa_handler = { _ in }
    sigaction(SIGUSR2, &action, nil)
    pthread_kill(thread, SIGUSR2)
  }

  private final class Result: Sendable {
    private let value = Mutex<Value?>(nil)
    func put(_ new: Value) { value.withLock { $0 = new } }
    func get() -> Value? { value.withLock(\.self) }
  }
}

private final class Body {
  let run: @Sendable () -> Void
  init(_ run: @escaping @Sendable () -> Void) { self.run = run }
}

private func start(_ body: @escaping @Sendable () -> Void) -> pthread_t {
  var thread = pthread_t()
  let result = pthread_create(
    &thread, nil,
    { argument in
      // Inherited from a worker of libdispatch, which blocks all signals.
      var signals = sigset_t()
      sigemptyset(&signals)
      sigaddset(&signals, SIGUSR2)
      pthread_sigmask(SIG_UNBLOCK, &signals, nil)
      if let argument { Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run() }
      return nil
    }, Unmanaged.passRetained(Body(body)).toOpaque())
  precondition(result == 0)
  return thread
}
