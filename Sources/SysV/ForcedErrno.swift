#if DEBUG
  import Synchronization
  package import SystemPackage

  /// Makes one system call fail, so that a test meets errors which the kernel does not produce on demand.
  ///
  /// It holds for the current task or thread: `ForcedErrno.$current.withValue(ForcedErrno(.semop, .interrupted)) { …
  /// }`. Debug builds only.
  package final class ForcedErrno: Sendable {
    /// The number of times that the call fails.
    package enum Times: Sendable {
      case count(Int)
      case always
    }

    /// The table of errors that the current task's calls consult.
    @TaskLocal package static var current: ForcedErrno?

    private struct State {
      var skipping: Int
      var times: Times
      var calls: [Syscall] = []
    }

    private let call: Syscall
    private let error: Errno
    private let state: Mutex<State>

    /// Lets the first calls of that name pass, and then fails as often as asked.
    package init(_ call: Syscall, _ error: Errno, skipping: Int = 0, times: Times = .count(1)) {
      self.call = call
      self.error = error
      state = Mutex(State(skipping: skipping, times: times))
    }

    /// Every call made under this object, in order, forced or not.
    package var calls: [Syscall] { state.withLock { $0.calls } }

    func answer(to call: Syscall) -> Errno? {
      state.withLock { state in
        state.calls.append(call)
        guard call == self.call else { return nil }
        if state.skipping > 0 {
          state.skipping -= 1
          return nil
        }
        switch state.times {
        case .always: return error
        case .count(0): return nil
        case .count(let left):
          state.times = .count(left - 1)
          return error
        }
      }
    }
  }
#endif
