import Leasehold
import SysV
import Synchronization
import SystemPackage

/// A list of operations that one thread waits for in the kernel.
final class OperationJob: Sendable {
  /// How the wait ended.
  enum Outcome: Sendable {
    case performed
    case timedOut
    case failed(Errno)
    case canceled
    case draining
  }

  fileprivate enum Call: Int {
    case goOn, cancel, drain
  }

  let set: SemaphoreSet
  let operations: [SemaphoreOperation]
  /// CLOCK_MONOTONIC, nanoseconds.
  let deadline: Int64
  private let finish: @Sendable (Outcome) -> Void
  private let call = Atomic(Call.goOn.rawValue)

  init(
    set: SemaphoreSet, operations: [SemaphoreOperation], deadline: Int64,
    finish: @escaping @Sendable (Outcome) -> Void
  ) {
    self.set = set
    self.operations = operations
    self.deadline = deadline
    self.finish = finish
  }

  /// Asks the wait to end; the first to ask decides how.
  fileprivate func stop(_ reason: Call) {
    _ = call.compareExchange(
      expected: Call.goOn.rawValue, desired: reason.rawValue, ordering: .sequentiallyConsistent)
  }

  fileprivate func end(_ outcome: Outcome) { finish(outcome) }

  /// Sleeps in the kernel until the list is done or will not be.
  ///
  /// Each return costs the place in the kernel's queue, so the whole wait is one call unless it is interrupted.
  fileprivate func run() -> Outcome {
    while true {
      switch call.load(ordering: .sequentiallyConsistent) {
      case Call.cancel.rawValue: return .canceled
      case Call.drain.rawValue: return .draining
      default: break
      }
      let left = deadline - HostClock.now().nanoseconds
      guard left > 0 else { return .timedOut }
      let error = operations.withUnsafeBufferPointer { set.operate($0, timeoutNanoseconds: left) }
      switch error {
      case nil: return .performed
      case .interrupted?: continue
      case .resourceTemporarilyUnavailable?:
        // The kernel says the same when the time is over and when an operation with nowait cannot go.
        return HostClock.now().nanoseconds >= deadline ? .timedOut : .failed(.resourceTemporarilyUnavailable)
      case let error?: return .failed(error)
      }
    }
  }
}

/// The threads that sleep in the kernel for raw operations, one for each that waits.
///
/// Life cycle of a thread: started when first needed, asleep on its alarm between jobs, joined by ``stop()``. A wait is
/// called off by a flag and a signal; a signal that comes just before the system call is lost, so one more thread, the
/// caller, repeats it until the sleeper has let go.
final class OperationPool: Sendable {
  private struct State {
    var jobs: [WaiterID: OperationThread] = [:]
    var idle: [OperationThread] = []
    var all: [OperationThread] = []
    var called: [WaiterID: OperationThread] = [:]
    var caller: HostThread?
    var lastID: WaiterID = 0
    var isDraining = false
    var isStopped = false
  }

  private let state = Mutex(State())
  private let maximum: Int
  private let alarm = Alarm()

  /// How often a signal is repeated that a sleeper may have missed.
  private static let repeatInterval: Int64 = 1_000_000

  init(maximum: Int) {
    self.maximum = maximum
    HostThread.prepareInterrupts()
  }

  /// Who waits now.
  var count: Int { state.withLock { $0.jobs.count } }

  /// Gives a job to a thread.
  func begin(_ job: OperationJob) throws(LeaseholdError) -> WaiterID {
    let begun = state.withLock { state -> Result<WaiterID, LeaseholdError> in
      guard !state.isDraining else { return .failure(.operationsDrain) }
      if state.idle.isEmpty, state.all.count < maximum, let thread = OperationThread(pool: self) {
        state.all.append(thread)
        state.idle.append(thread)
      }
      guard let thread = state.idle.popLast() else {
        return .failure(state.all.count < maximum ? .noThreadToWait : .tooManyOperations(maximum))
      }
      state.lastID += 1
      state.jobs[state.lastID] = thread
      thread.begin(job, state.lastID)
      return .success(state.lastID)
    }
    return try begun.get()
  }

  /// Gives a job up; its client hears nothing unless it was done meanwhile.
  func cancel(_ id: WaiterID) { call([id], .cancel) }

  /// Sends everybody away and takes nobody on.
  func drain() {
    let ids = state.withLock { state in
      state.isDraining = true
      return Array(state.jobs.keys)
    }
    call(ids, .drain)
  }

  private func call(_ ids: [WaiterID], _ reason: OperationJob.Call) {
    state.withLock { state in
      for id in ids {
        guard let thread = state.jobs[id] else { continue }
        thread.stop(id, reason)
        state.called[id] = thread
      }
      guard !state.called.isEmpty, state.caller == nil, !state.isStopped else { return }
      state.caller = HostThread { [self] in repeatCalls() }
    }
    alarm.ring()
  }

  private func repeatCalls() {
    while true {
      let (isStopped, isIdle) = state.withLock { state in
        for thread in state.called.values { thread.interrupt() }
        return (state.isStopped, state.called.isEmpty)
      }
      if isStopped, isIdle { return }
      if isIdle { alarm.sleep() } else { alarm.sleep(until: HostClock.now().nanoseconds + Self.repeatInterval) }
    }
  }

  /// Ends all waits and all threads.
  func stop() {
    drain()
    let (threads, caller) = state.withLock { state in
      state.isStopped = true
      defer { (state.all, state.caller) = ([], nil) }
      return (state.all, state.caller)
    }
    for thread in threads { thread.end() }
    alarm.ring()
    caller?.join()
  }

  fileprivate func finished(_ thread: OperationThread, _ id: WaiterID) {
    state.withLock { state in
      state.jobs[id] = nil
      state.called[id] = nil
      state.idle.append(thread)
    }
  }
}

/// One thread and the job it has.
private final class OperationThread: Sendable {
  private let alarm = Alarm()
  private let current = Mutex<(job: OperationJob, id: WaiterID)?>(nil)
  private let isEnding = Atomic(false)
  private let thread = Mutex<HostThread?>(nil)

  init?(pool: OperationPool) {
    let started = HostThread { [self] in run(pool) }
    guard let started else { return nil }
    thread.withLock { $0 = started }
  }

  func begin(_ job: OperationJob, _ id: WaiterID) {
    current.withLock { $0 = (job, id) }
    alarm.ring()
  }

  func stop(_ id: WaiterID, _ reason: OperationJob.Call) {
    current.withLock { current in
      if let current, current.id == id { current.job.stop(reason) }
    }
    interrupt()
  }

  func interrupt() { thread.withLock { $0 }?.interrupt() }

  /// Ends the thread, which must have been called off, and waits for it; the signal is repeated until it was seen.
  func end() {
    isEnding.store(true, ordering: .sequentiallyConsistent)
    alarm.ring()
    while !hasEnded.load(ordering: .sequentiallyConsistent) {
      interrupt()
      Alarm().sleep(until: HostClock.now().nanoseconds + 1_000_000)
    }
    thread.withLock { $0 }?.join()
  }

  private let hasEnded = Atomic(false)

  private func run(_ pool: OperationPool) {
    while true {
      guard let (job, id) = current.withLock({ $0 }) else {
        if isEnding.load(ordering: .sequentiallyConsistent) {
          return hasEnded.store(true, ordering: .sequentiallyConsistent)
        }
        alarm.sleep()
        continue
      }
      let outcome = job.run()
      current.withLock { $0 = nil }
      pool.finished(self, id)
      job.end(outcome)
    }
  }
}
