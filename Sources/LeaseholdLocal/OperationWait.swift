import Leasehold
import LeaseholdHost
import SysV
import SystemPackage

/// A list of operations that one thread waits for in the kernel.
struct OperationWait: Sendable {
  /// The end of the wait.
  enum Outcome: Sendable {
    case performed
    case timedOut
    case failed(Errno)
    case canceled
    case draining
  }

  let set: SemaphoreSet
  let operations: [SemaphoreOperation]
  /// CLOCK_MONOTONIC, nanoseconds.
  let deadline: Int64

  /// Sleeps in the kernel until the list is done or will not be.
  ///
  /// Each return costs the place in the kernel's queue, so the whole wait is one call unless it is interrupted.
  func run(_ sleep: SleeperPool.Sleep) -> Outcome {
    while true {
      switch sleep.end {
      case .canceled: return .canceled
      case .stopped: return .draining
      case nil: break
      }
      let left = deadline - HostClock.monotonic()
      guard left > 0 else { return .timedOut }
      let error = operations.withUnsafeBufferPointer { set.operate($0, timeoutNanoseconds: left) }
      switch error {
      case nil: return .performed
      case .interrupted?: continue
      case .resourceTemporarilyUnavailable?:
        // The kernel says the same when the time is over and when an operation with nowait cannot be done.
        return HostClock.monotonic() >= deadline ? .timedOut : .failed(.resourceTemporarilyUnavailable)
      case let error?: return .failed(error)
      }
    }
  }
}
