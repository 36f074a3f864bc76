import Leasehold
import LeaseholdHost
import Synchronization
import SysV
import SystemPackage

/// The threads that wait in the kernel, because only a thread asleep in semop learns that a native process let go.
///
/// A canceled wait that got its units meanwhile is reported like any other.
final class PumpPool: KernelWaiting, Sendable {
  /// The end of a wait.
  enum Outcome: Sendable {
    /// The share is this process's, with SEM_UNDO.
    case granted
    /// The set is gone.
    case removed
    /// The kernel refused to wait.
    case failed
  }

  private let sleepers: SleeperPool
  private let report: @Sendable (KernelWait, Outcome) -> Void
  private let isStopping = Atomic(false)

  /// One wait lasts at most this long before the thread looks around; long, because each return costs the place in the
  /// kernel's queue.
  private static let longestWait: Int64 = 60_000_000_000

  /// - Parameters:
  ///   - threadsMax: Threads at most.
  ///   - report: Told on the pump's thread, with no lock held.
  init(threadsMax: Int, report: @escaping @Sendable (KernelWait, Outcome) -> Void) {
    sleepers = SleeperPool(named: "lh-pump", threadsMax: threadsMax)
    self.report = report
  }

  var count: Int { sleepers.count }

  func begin(_ wait: KernelWait) -> Bool {
    do {
      try sleepers.begin(UInt64(wait.number)) { [self] sleep in
        let outcome = self.wait(wait, sleep)
        return { [self] in if let outcome { report(wait, outcome) } }
      }
      return true
    } catch {
      return false
    }
  }

  func cancel(_ number: Int) { sleepers.cancel(UInt64(number)) }

  /// Ends all waits and all threads.
  func stop() {
    isStopping.store(true, ordering: .sequentiallyConsistent)
    sleepers.stop()
  }

  /// Goes through the steps of the job; `nil` when it was canceled first.
  private func wait(_ wait: KernelWait, _ sleep: SleeperPool.Sleep) -> Outcome? {
    let steps = wait.steps
    if let enter = steps.enter {
      let entered = go(through: enter, wait.set, sleep, isFirst: true)
      guard entered == .granted else { return entered }
    }
    let outcome = go(through: steps.wait, wait.set, sleep)
    if outcome != .granted, let leave = steps.leave { self.leave(leave, wait.set) }
    return outcome
  }

  /// Goes through a list, and sleeps until all of it is done.
  ///
  /// - Parameter isFirst: Whether a wait comes behind it: a guard before that may be refused at once.
  private func go(
    through list: OpList, _ set: Int32, _ sleep: SleeperPool.Sleep, isFirst: Bool = false
  ) -> Outcome? {
    while true {
      let until = HostClock.monotonic() + Self.longestWait
      switch withOperations(list, { SemaphoreSet(id: set).sleep($0, until: until, sleep) }) {
      case .performed: return .granted
      case .calledOff: return nil
      case .timedOut: continue
      case .failed(.resourceTemporarilyUnavailable): if isFirst { return .failed }
      case .failed(let error) where error.saysGone: return .removed
      case .failed:
        // No memory for the undo, say. A short rest, so that trying again does not turn into a busy loop.
        HostClock.sleep(nanoseconds: 10_000_000)
        return .failed
      }
    }
  }

  /// Takes back what came before a wait, however often the kernel has no memory for it.
  private func leave(_ list: OpList, _ set: Int32) {
    while true {
      switch withOperations(list, { SemaphoreSet(id: set).operate($0) }) {
      case .noMemory?, .permissionDenied?, .interrupted?:
        if isStopping.load(ordering: .sequentiallyConsistent) { return }
        HostClock.sleep(nanoseconds: 10_000_000)
      default: return
      }
    }
  }

  private func withOperations<Result>(
    _ list: OpList, _ body: (UnsafeBufferPointer<SemaphoreOperation>) -> Result
  ) -> Result {
    withUnsafeBytes(of: list.storage) { bytes in
      body(UnsafeBufferPointer(rebasing: bytes.assumingMemoryBound(to: SemaphoreOperation.self)[..<list.count]))
    }
  }
}

/// The end of a sleep in the kernel.
enum SleepEnd: Sendable {
  case performed
  case timedOut
  case failed(Errno)
  case calledOff(SleeperPool.End)
}

extension SemaphoreSet {
  /// Sleeps in the kernel until the list is done or will not be.
  ///
  /// Each return costs the place in the kernel's queue, so the whole wait is one call unless it is interrupted.
  ///
  /// - Parameter deadline: CLOCK_MONOTONIC, nanoseconds.
  func sleep(
    _ operations: UnsafeBufferPointer<SemaphoreOperation>, until deadline: Int64, _ sleep: SleeperPool.Sleep
  ) -> SleepEnd {
    while true {
      if let end = sleep.end { return .calledOff(end) }
      let left = deadline - HostClock.monotonic()
      guard left > 0 else { return .timedOut }
      switch operate(operations, timeoutNanoseconds: left) {
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
