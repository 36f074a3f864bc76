import Leasehold
import SysV
import Synchronization
import SystemPackage

/// What a thread that waited in the kernel reports.
struct PumpReport: Sendable {
  let lock: Int
  let set: Int32
  let semaphore: Int
  let units: Int
  let outcome: Outcome

  enum Outcome: Sendable {
    /// The units are this process's, with SEM_UNDO.
    case granted
    /// The set is gone.
    case removed
    /// The kernel refused to wait.
    case failed
  }
}

/// One wait in the kernel on behalf of one lock.
private final class PumpJob: Sendable {
  let lock: Int
  let set: Int32
  let semaphore: Int
  let units: Int
  let isCanceled = Atomic(false)

  init(lock: Int, set: Int32, semaphore: Int, units: Int) {
    self.lock = lock
    self.set = set
    self.semaphore = semaphore
    self.units = units
  }

  func report(_ outcome: PumpReport.Outcome) -> PumpReport {
    PumpReport(lock: lock, set: set, semaphore: semaphore, units: units, outcome: outcome)
  }
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

  func begin(_ lock: Int, set: Int32, semaphore: Int, units: Int) -> Bool {
    let job = PumpJob(lock: lock, set: set, semaphore: semaphore, units: units)
    return state.withLock { state in
      guard !state.isStopped else { return false }
      if state.idle.isEmpty, state.all.count < maximum, let thread = PumpThread(pool: self) {
        state.all.append(thread)
        state.idle.append(thread)
      }
      guard let thread = state.idle.popLast() else { return false }
      state.jobs[lock] = thread
      thread.begin(job)
      return true
    }
  }

  func cancel(_ lock: Int) {
    state.withLock { state in
      guard let thread = state.jobs.removeValue(forKey: lock) else { return }
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
      if state.jobs[job.lock] === thread { state.jobs[job.lock] = nil }
      state.canceled.removeAll { $0 === thread }
      canceledCount.store(state.canceled.count, ordering: .releasing)
      state.idle.append(thread)
    }
    if let outcome { report(job.report(outcome)) }
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

  /// Waits for the job's units; `nil` when it was canceled first.
  private func wait(_ job: PumpJob) -> PumpReport.Outcome? {
    let set = SemaphoreSet(id: job.set)
    var operation = SemaphoreOperation.subtract(Int16(job.units), from: UInt16(job.semaphore), .undo)
    while !job.isCanceled.load(ordering: .sequentiallyConsistent) {
      let error = withUnsafePointer(to: &operation) { operation in
        set.operate(UnsafeBufferPointer(start: operation, count: 1), timeoutNanoseconds: Self.longestWait)
      }
      switch error {
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
}
