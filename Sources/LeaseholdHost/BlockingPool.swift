import Synchronization

/// Threads for work that may block, started when first needed and kept; at most so many, and at most so much work in
/// line for them.
///
/// A place is reserved before the work is made, so that a caller that finds none can still say so. The thread that ran
/// last is taken first: the others' stacks stay cold.
package final class BlockingPool: Sendable {
  /// Why there is no place.
  package enum Refusal: Error, Equatable {
    /// All threads are busy, there are as many as there may be, and the line is full.
    case full
    /// The process may have no more threads.
    case noThread
    /// ``stop()`` was called.
    case stopped
  }

  /// A thread for work, or a place in the line for one; it is given back when it is let go without.
  package struct Place: ~Copyable, Sendable {
    private var pool: BlockingPool?

    fileprivate init(_ pool: BlockingPool) { self.pool = pool }

    deinit { pool?.giveBack() }

    /// Has the first thread that is free run the work; once.
    package consuming func run(_ work: @escaping @Sendable () -> Void) {
      _ = begin {
        work()
        return {}
      }
    }

    /// Has a thread run a job, which answers what is to be run once the thread counts as free.
    ///
    /// - Returns: `nil` where the job stands in line.
    consuming func begin(_ job: @escaping PoolThread.Job) -> PoolThread? { pool.take()?.begin(job) }
  }

  private struct State {
    var idle: [PoolThread] = []
    var all: [PoolThread] = []
    var line: [PoolThread.Job] = []
    /// Places that have no job yet.
    var reserved = 0
    var isStopped = false
  }

  private let state = Mutex(State())
  private let name: StaticString
  private let stackBytes: Int
  private let threadsMax: Int
  private let lineMax: Int

  /// An empty pool.
  ///
  /// - Parameters:
  ///   - name: The threads' name, of at most 15 bytes.
  ///   - threadsMax: At least 1.
  ///   - lineMax: 0 where work that finds no thread is refused.
  ///   - stackBytes: Of each thread.
  package init(
    named name: StaticString, threadsMax: Int, lineMax: Int = 0, stackBytes: Int = HostThread.requestStackBytes
  ) {
    precondition(threadsMax > 0 && lineMax >= 0, "a pool needs room for a thread")
    (self.name, self.threadsMax, self.lineMax, self.stackBytes) = (name, threadsMax, lineMax, stackBytes)
  }

  /// Threads at work now.
  package var busy: Int { state.withLock { $0.all.count - $0.idle.count } }

  /// Reserves a place.
  ///
  /// - Throws: ``Refusal``.
  package func reserve() throws(Refusal) -> Place {
    try state.withLock { state throws(Refusal) in
      guard !state.isStopped else { throw .stopped }
      let ahead = state.reserved - state.idle.count
      if ahead >= 0, state.all.count < threadsMax {
        guard let thread = PoolThread(of: self, named: name, stackBytes: stackBytes) else { throw .noThread }
        state.all.append(thread)
        // Behind those whose stacks are warm.
        state.idle.insert(thread, at: 0)
      } else if state.line.count + ahead >= lineMax, ahead >= 0 {
        throw .full
      }
      state.reserved += 1
    }
    return Place(self)
  }

  private func giveBack() { state.withLock { $0.reserved -= 1 } }

  fileprivate func begin(_ job: @escaping PoolThread.Job) -> PoolThread? {
    let thread = state.withLock { state -> PoolThread? in
      state.reserved -= 1
      if let thread = state.idle.popLast() { return thread }
      state.line.append(job)
      return nil
    }
    thread?.begin(job)
    return thread
  }

  /// Refuses further work, waits until what runs or stands in line has ended, and ends the threads.
  ///
  /// - Parameter deadline: A reading of CLOCK_MONOTONIC; what runs longer is left to itself.
  /// - Returns: Whether all have ended.
  @discardableResult
  package func stop(by deadline: Int64 = .max) -> Bool {
    let threads = state.withLock { state in
      state.isStopped = true
      defer { state.all = [] }
      return state.all
    }
    for thread in threads { thread.askToEnd() }
    return threads.reduce(true) { hasEnded, thread in thread.end(by: deadline) && hasEnded }
  }

  func free(_ thread: PoolThread) {
    let next = state.withLock { state -> PoolThread.Job? in
      guard state.line.isEmpty else { return state.line.removeFirst() }
      state.idle.append(thread)
      return nil
    }
    if let next { thread.begin(next) }
  }
}

/// A thread of a pool and the job it has.
final class PoolThread: Sendable {
  /// Work, and what comes after it.
  typealias Job = @Sendable () -> @Sendable () -> Void

  private let alarm = Alarm()
  private let job = Mutex<Job?>(nil)
  private let isEnding = Atomic(false)
  private let hasEnded = Atomic(false)
  private let ending = Alarm()
  private let thread = Mutex<HostThread?>(nil)

  fileprivate init?(of pool: BlockingPool, named name: StaticString, stackBytes: Int) {
    let started = HostThread(named: name, stackBytes: stackBytes) { [self] in run(for: pool) }
    guard let started else { return nil }
    thread.withLock { $0 = started }
  }

  fileprivate func begin(_ new: @escaping Job) {
    job.withLock { job in
      precondition(job == nil, "a thread has one job at a time")
      job = new
    }
    alarm.ring()
  }

  func interrupt() { thread.withLock { $0?.interrupt() } }

  fileprivate func askToEnd() {
    isEnding.store(true, ordering: .sequentiallyConsistent)
    alarm.ring()
  }

  /// Waits for the end that was asked for, until a reading of CLOCK_MONOTONIC; false when it did not come.
  fileprivate func end(by deadline: Int64) -> Bool {
    if !hasEnded.load(ordering: .sequentiallyConsistent) { ending.sleep(until: deadline) }
    let thread = thread.withLock { $0.take() }
    guard hasEnded.load(ordering: .sequentiallyConsistent) else { return false }
    thread?.join()
    return true
  }

  private func run(for pool: BlockingPool) {
    while true {
      if let job = job.withLock({ $0.take() }) {
        let afterwards = job()
        pool.free(self)
        afterwards()
      } else if isEnding.load(ordering: .sequentiallyConsistent) {
        hasEnded.store(true, ordering: .sequentiallyConsistent)
        return ending.ring()
      } else {
        alarm.sleep()
      }
    }
  }
}
