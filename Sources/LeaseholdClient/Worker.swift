internal import Glibc
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
  private let semaphore: Wakeup

  init(_ endpoint: ServiceEndpoint) {
    connection = LeaseholdConnection(endpoint)
    semaphore = Wakeup()
    var thread = pthread_t()
    let context = Unmanaged.passRetained(self).toOpaque()
    let result = pthread_create(
      &thread, nil,
      { context in
        if let context { Unmanaged<Worker>.fromOpaque(context).takeRetainedValue().work() }
        return nil
      }, context)
    if result == 0 {
      pthread_detach(thread)
    } else {
      Unmanaged<Worker>.fromOpaque(context).release()
      connection.abort()
    }
  }

  /// Runs the job on the thread; the one before must be over.
  func run(_ job: @escaping @Sendable (LeaseholdConnection) -> Void) {
    state.withLock { $0.job = job }
    semaphore.post()
  }

  /// Ends the thread once it is idle.
  func dismiss() {
    state.withLock { $0.isDismissed = true }
    semaphore.post()
  }

  private func work() {
    while true {
      semaphore.wait()
      let (job, isDismissed) = state.withLock { state in
        defer { state.job = nil }
        return (state.job, state.isDismissed)
      }
      job?(connection)
      if isDismissed { return }
    }
  }
}

/// A counting semaphore of this process.
private final class Wakeup: @unchecked Sendable {
  private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

  init() { sem_init(semaphore, 0, 0) }

  deinit {
    sem_destroy(semaphore)
    semaphore.deallocate()
  }

  func post() { sem_post(semaphore) }

  func wait() {
    while sem_wait(semaphore) != 0 {}
  }
}
