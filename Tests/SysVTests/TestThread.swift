import Glibc
import Synchronization

/// What a thread does, without the type of its result, which a C function cannot know.
private protocol Work: AnyObject, Sendable {
  func run()
}

private final class ValuedWork<Value: Sendable>: Work {
  let body: @Sendable () -> Value
  let value = Mutex<Value?>(nil)

  init(_ body: @escaping @Sendable () -> Value) { self.body = body }

  func run() {
    // Inherited from a worker of libdispatch, which blocks all signals.
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGUSR2)
    pthread_sigmask(SIG_UNBLOCK, &signals, nil)
    let result = body()
    value.withLock { $0 = result }
  }
}

private func start(_ work: any Work) -> pthread_t {
  var thread = pthread_t()
  let argument = Unmanaged.passRetained(work as AnyObject).toOpaque()
  let result = pthread_create(
    &thread, nil,
    { argument in
      guard let argument else { return nil }
      (Unmanaged<AnyObject>.fromOpaque(argument).takeRetainedValue() as? any Work)?.run()
      return nil
    }, argument)
  precondition(result == 0)
  return thread
}

/// A thread with a result, that can be sent a signal.
final class TestThread<Value: Sendable>: Sendable {
  private let work: ValuedWork<Value>
  private let thread: pthread_t

  init(_ body: @escaping @Sendable () -> Value) {
    work = ValuedWork(body)
    thread = start(work)
  }

  /// Waits for the end of the thread; if it does not come, throws, and leaves the thread behind.
  func result() throws -> Value {
    try eventually { work.value.withLock { $0 != nil } }
    return join()
  }

  /// Waits for the end of the thread.
  func join() -> Value {
    pthread_join(thread, nil)
    guard let value = work.value.withLock({ $0 }) else { preconditionFailure("the thread has not run") }
    return value
  }

  /// Interrupts the system call the thread is in, if it is in one.
  func interrupt() {
    var action = sigaction()
    action.__sigaction_handler.sa_handler = { _ in }
    sigaction(SIGUSR2, &action, nil)
    pthread_kill(thread, SIGUSR2)
  }
}

/// Another user, for as long as the body runs, on a thread of its own.
///
/// The credentials of Linux belong to a thread; only libc makes them look like the process's.
enum AnotherUser {
  static let id: UInt32 = 65534

  /// Whether this process may do it at all: root, and that user exists in its user namespace.
  static let isAvailable = run { true } ?? false

  static func run<Value: Sendable>(_ body: @escaping @Sendable () -> Value) -> Value? {
    TestThread<Value?> { become() ? body() : nil }.join()
  }

  private static func become() -> Bool {
    #if arch(x86_64)
      let (setgroups, setresgid, setresuid) = (116, 119, 117)
    #else
      let (setgroups, setresgid, setresuid) = (159, 149, 147)
    #endif
    typealias SystemCall = @convention(c) (Int, Int, Int, Int) -> Int
    guard let symbol = dlsym(nil, "syscall") else { return false }
    let systemCall = unsafeBitCast(symbol, to: SystemCall.self)
    let user = Int(id)
    return systemCall(setgroups, 0, 0, 0) == 0 && systemCall(setresgid, user, user, user) == 0
      && systemCall(setresuid, user, user, user) == 0
  }
}
