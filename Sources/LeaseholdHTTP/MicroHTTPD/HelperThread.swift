import CMicroHTTPD
import Glibc

private final class ThreadBody {
  let name: StaticString
  let run: () -> Void

  init(name: StaticString, run: @escaping () -> Void) {
    self.name = name
    self.run = run
  }
}

/// Starts a thread that takes no signals.
/// - Parameter name: At most 15 bytes; shown by `ps -L`.
/// - Returns: The thread, to be joined, or `nil` where there cannot be one more (`errno` says why).
///
/// The corresponding C function is `pthread_create`.
func startThread(named name: StaticString, _ run: @escaping @Sendable () -> Void) -> pthread_t? {
  let body = Unmanaged.passRetained(ThreadBody(name: name, run: run))
  var thread = pthread_t()
  let failure = withoutSignals {
    pthread_create(
      &thread, nil,
      { argument in
        guard let argument else { return nil }
        let body = Unmanaged<ThreadBody>.fromOpaque(argument).takeRetainedValue()
        leasehold_name_thread(UnsafeRawPointer(body.name.utf8Start).assumingMemoryBound(to: CChar.self))
        body.run()
        return nil
      }, body.toOpaque())
  }
  guard failure == 0 else {
    body.release()
    errno = failure
    return nil
  }
  return thread
}

/// Runs `body` with all signals blocked, so that threads it starts never take one that is meant for the main thread.
///
/// The corresponding C function is `pthread_sigmask`.
func withoutSignals<Result>(_ body: () -> Result) -> Result {
  var all = sigset_t()
  var before = sigset_t()
  sigfillset(&all)
  pthread_sigmask(SIG_SETMASK, &all, &before)
  defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
  return body()
}
