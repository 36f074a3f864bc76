import Leasehold
import SysV
import Synchronization
import SystemPackage

/// What a thread that waited in the kernel reports.
struct PumpReport: Sendable {
  let wait: KernelWait
  let outcome: Outcome

  enum Outcome: Sendable {
    /// The share is this process's, with SEM_UNDO.
    case granted
    /// The set is gone.
    case removed
    /// The kernel refused to wait.
    case failed
  }
}

/// One wait in the kernel on behalf of one lock.
private final class PumpJob: Sendable {
  let wait: KernelWait
  let isCanceled = Atomic(false)

  init(_ wait: KernelWait) { self.wait = wait }
}

/// The threads that wait in the kernel, because only a thread asleep in semop learns that a native process let go.
///
/// Life cycle of a thread: started when first needed, asleep on its alarm between jobs, joined by ``stop()``. A job is
/// canceled by a flag and a signal; as a signal that comes just before the system call is lost, ``nudge()`` repeats it
/// until the thread has let the job go. A canceled wait that got its units meanwhile is reported like any other.
final class PumpPool: KernelWaiting, Sendable {
  private struct State {
    var jobs: [Int: PumpThread] = [:]
    var idle: [PumpThread] = []
    var all: [PumpThread] = []
    var canceled: [PumpThread] = []
    var isStopped = false
  }

  private let state = Mutex(State())
  private let maximum: Int
  private let report: @Sendable (PumpReport) -> Void

  /// - Parameters:
  ///   - maximum: Threads at most.
  ///   - report: Told on the pump's thread, with no lock held.
  init(maximum: Int, report: @escaping @Sendable (PumpReport) -> Void) {
    self.maximum = maximum
    self.report = report
    HostThread.prepareInterrupts()
  }

  var count: Int { state.withLock { $0.jobs.count } }

  /// Whether a canceled thread has not let go yet: call ``nudge()`` every millisecond or so.
  var wantsNudge: Bool { canceledCount.load(ordering: .acquiring) > 0 }

  /// How many canceled threads have not let go; asked for after every change, so without the lock.
  private let canceledCount = Atomic(0)

  func begin(_ wait: KernelWait) -> Bool {
    let job = PumpJob(wait)
    return state.withLock { state in
      guard !state.isStopped else { return false }
      if state.idle.isEmpty, state.all.count < maximum, let thread = PumpThread(pool: self) {
        state.all.append(thread)
        state.idle.append(thread)
      }
      guard let thread = state.idle.popLast() else { return false }
      state.jobs[wait.number] = thread
      thread.begin(job)
      return true
    }
  }

  func cancel(_ number: Int) {
    state.withLock { state in
      guard let thread = state.jobs.removeValue(forKey: number) else { return }
      thread.cancel()
      state.canceled.append(thread)
      canceledCount.store(state.canceled.count, ordering: .releasing)
    }
  }

  /// Repeats the signals whose effect was not seen yet.
  func nudge() {
    state.withLock { state in
      for thread in state.canceled { thread.cancel() }
    }
  }

  /// Ends all waits and all threads.
  func stop() {
    let threads = state.withLock { state in
      state.isStopped = true
      return state.all
    }
    for thread in threads { thread.end() }
    state.withLock { $0.all = [] }
  }

  fileprivate func finished(_ thread: PumpThread, _ job: PumpJob, _ outcome: PumpReport.Outcome?) {
    state.withLock { state in
      if state.jobs[job.wait.number] === thread { state.jobs[job.wait.number] = nil }
      state.canceled.removeAll { $0 === thread }
      canceledCount.store(state.canceled.count, ordering: .releasing)
      state.idle.append(thread)
    }
    if let outcome { report(PumpReport(wait: job.wait, outcome: outcome)) }
  }
}

/// One thread and the job it has.
private final class PumpThread: Sendable {
  private let alarm = Alarm()
  private let current = Mutex<PumpJob?>(nil)
  private let isEnding = Atomic(false)
  private let thread = Mutex<HostThread?>(nil)

  /// One wait lasts at most this long before the thread looks around; long, because each return costs the place in the
  /// kernel's queue.
  private static let longestWait: Int64 = 60_000_000_000

  init?(pool: PumpPool) {
    let started = HostThread { [self] in run(pool) }
    guard let started else { return nil }
    thread.withLock { $0 = started }
  }

  func begin(_ job: PumpJob) {
    current.withLock { $0 = job }
    alarm.ring()
  }

  func cancel() {
    current.withLock { $0 }?.isCanceled.store(true, ordering: .sequentiallyConsistent)
    thread.withLock { $0 }?.interrupt()
  }

  /// Ends the thread and waits for it; the signal is repeated until it was seen.
  func end() {
    isEnding.store(true, ordering: .sequentiallyConsistent)
    alarm.ring()
    while !hasEnded.load(ordering: .sequentiallyConsistent) {
      cancel()
      Alarm().sleep(until: HostClock.now().nanoseconds + 1_000_000)
    }
    thread.withLock { $0 }?.join()
  }

  private let hasEnded = Atomic(false)

  private func run(_ pool: PumpPool) {
    while !isEnding.load(ordering: .sequentiallyConsistent) {
      guard let job = current.withLock({ $0 }) else {
        alarm.sleep()
        continue
      }
      let outcome = wait(job)
      current.withLock { $0 = nil }
      pool.finished(self, job, outcome)
    }
    hasEnded.store(true, ordering: .sequentiallyConsistent)
  }

  /// Goes through the steps of the job; `nil` when it was canceled first.
  private func wait(_ job: PumpJob) -> PumpReport.Outcome? {
    let steps = job.wait.steps
    if let enter = steps.enter {
      let entered = self.enter(enter, job)
      guard entered == .granted else { return entered }
    }
    let outcome = sleep(steps.wait, job)
    if outcome != .granted, let leave = steps.leave { self.leave(leave, job.wait.set) }
    return outcome
  }

  /// Does what comes before a wait.
  ///
  /// It may wait itself, for a guard say, and may be refused at once.
  private func enter(_ list: OpList, _ job: PumpJob) -> PumpReport.Outcome? {
    while !job.isCanceled.load(ordering: .sequentiallyConsistent) {
      let begun = HostClock.now().nanoseconds
      switch operate(job.wait.set, list, timeoutNanoseconds: Self.longestWait) {
      case nil: return .granted
      case .interrupted?: continue
      case .resourceTemporarilyUnavailable?:
        if HostClock.now().nanoseconds - begun < Self.longestWait / 2 { return .failed }
      case .identifierRemoved?, .invalidArgument?: return .removed
      default:
        Alarm().sleep(until: HostClock.now().nanoseconds + 10_000_000)
        return .failed
      }
    }
    return nil
  }

  /// Takes back what came before a wait, however often the kernel has no memory for it.
  private func leave(_ list: OpList, _ set: Int32) {
    while true {
      switch operate(set, list) {
      case .noMemory?, .permissionDenied?, .interrupted?:
        if isEnding.load(ordering: .sequentiallyConsistent) { return }
        Alarm().sleep(until: HostClock.now().nanoseconds + 10_000_000)
      default: return
      }
    }
  }

  /// Sleeps until all operations of a list are done.
  private func sleep(_ list: OpList, _ job: PumpJob) -> PumpReport.Outcome? {
    while !job.isCanceled.load(ordering: .sequentiallyConsistent) {
      switch operate(job.wait.set, list, timeoutNanoseconds: Self.longestWait) {
      case nil: return .granted
      case .interrupted?, .resourceTemporarilyUnavailable?: continue
      case .identifierRemoved?, .invalidArgument?: return .removed
      default:
        // No memory for the undo, say. A short rest, so that trying again does not turn into a busy loop.
        Alarm().sleep(until: HostClock.now().nanoseconds + 10_000_000)
        return .failed
      }
    }
    return nil
  }

  private func operate(_ set: Int32, _ list: OpList, timeoutNanoseconds: Int64? = nil) -> Errno? {
    withUnsafeBytes(of: list.storage) { bytes in
      let operations = UnsafeBufferPointer(
        rebasing: bytes.assumingMemoryBound(to: SemaphoreOperation.self)[..<list.count])
      let set = SemaphoreSet(id: set)
      return if let timeoutNanoseconds {
        set.operate(operations, timeoutNanoseconds: timeoutNanoseconds)
      } else {
        set.operate(operations)
      }
    }
  }
}
