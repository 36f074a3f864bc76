public import Leasehold

/// What a thread that waited in the kernel has to say to the ledger.
public enum WaitReport: Equatable, Sendable {
  /// The units are the daemon's, with SEM_UNDO.
  case granted(lock: Int, set: Int32, semaphore: Int, units: Int)
  /// The wait ended without.
  case ended(lock: Int, set: Int32, semaphore: Int, removed: Bool)
}

/// The threads that wait in the kernel, without threads: each step of each is taken when a test says so.
///
/// A wait goes to sleep, is granted or interrupted, leaves the table of waits, and only then reports. Between any two
/// of these the ledger may cancel it, and may begin another for the same lock.
public final class SimulatedWaiting: KernelWaiting {
  private enum Phase: Equatable {
    case starting
    case asleep(Int)
    case over(WaitReport?)
  }

  private struct Job {
    let number: Int
    let lock: Int
    let set: Int32
    let semaphore: Int
    let units: Int
    var phase = Phase.starting
    var isCanceled = false
  }

  private let kernel: SimulatedKernel
  private var jobs: [Job] = []
  private var current: [Int: Int] = [:]
  private var lastJob = 0
  /// Threads at most.
  public var maximum: Int
  /// Reports that were not delivered yet.
  ///
  /// Their order is that of several threads: any.
  public var reports: [WaitReport] = []
  /// Rules that the ledger broke.
  public private(set) var violations: [String] = []

  /// No waits yet.
  public init(kernel: SimulatedKernel, maximum: Int) {
    self.kernel = kernel
    self.maximum = maximum
  }

  /// Begins to wait; false when every thread is busy, those included that were canceled and did not notice yet.
  public func begin(_ lock: Int, set: Int32, semaphore: Int, units: Int) -> Bool {
    if current[lock] != nil { violations.append("began a second wait for the lock in record \(lock)") }
    guard jobs.count < maximum else { return false }
    lastJob += 1
    jobs.append(Job(number: lastJob, lock: lock, set: set, semaphore: semaphore, units: units))
    current[lock] = lastJob
    return true
  }

  /// Stops waiting.
  public func cancel(_ lock: Int) {
    guard let number = current.removeValue(forKey: lock) else { return }
    for index in jobs.indices where jobs[index].number == number { jobs[index].isCanceled = true }
  }

  /// Waits that were not canceled.
  public var count: Int { current.count }

  /// Whether a lock has a wait that was not canceled and did not end.
  public func isWaiting(_ lock: Int) -> Bool { current[lock] != nil }

  /// Units that a wait was granted and that the ledger was not told of yet.
  public func unitsOnTheWay(_ set: Int32, _ semaphore: Int) -> Int {
    let granted = jobs.filter { job in
      guard job.set == set, job.semaphore == semaphore else { return false }
      switch job.phase {
      case .asleep(let token): return kernel.sleep(token) == .granted
      case .over(.granted?): return true
      case .starting, .over: return false
      }
    }
    return reports.reduce(granted.reduce(0) { $0 + $1.units }) { sum, report in
      guard case .granted(_, set, semaphore, let units) = report else { return sum }
      return sum + units
    }
  }

  /// The waits that have a step to take.
  public var runnable: [Int] {
    jobs.filter { job in
      guard case .asleep(let token) = job.phase else { return true }
      return job.isCanceled || kernel.sleep(token) != .asleep
    }.map(\.number)
  }

  /// Takes the next step of a wait.
  public func run(_ number: Int) {
    guard let index = jobs.firstIndex(where: { $0.number == number }) else { return }
    let job = jobs[index]
    switch job.phase {
    case .starting where job.isCanceled: jobs[index].phase = .over(nil)
    case .starting:
      let token = kernel.sleep(
        job.units, set: job.set, semaphore: job.semaphore, process: SimulatedKernel.daemon)
      jobs[index].phase = token.map { .asleep($0) } ?? .over(ended(job, removed: true))
    case .asleep(let token): jobs[index].phase = wakeUp(job, token)
    case .over(let report):
      if current[job.lock] == number { current[job.lock] = nil }
      jobs.remove(at: index)
      if let report { reports.append(report) }
    }
  }

  private func wakeUp(_ job: Job, _ token: Int) -> Phase {
    switch kernel.sleep(token) {
    case .granted:
      .over(.granted(lock: job.lock, set: job.set, semaphore: job.semaphore, units: job.units))
    case .removed: .over(ended(job, removed: true))
    case .asleep: job.isCanceled && kernel.interrupt(token) ? .over(nil) : .asleep(token)
    }
  }

  private func ended(_ job: Job, removed: Bool) -> WaitReport {
    .ended(lock: job.lock, set: job.set, semaphore: job.semaphore, removed: removed)
  }

  /// Lets the kernel refuse every wait that sleeps, for want of memory say.
  public func failAll() {
    for index in jobs.indices {
      if case .asleep(let token) = jobs[index].phase, kernel.interrupt(token) {
        jobs[index].phase = .over(ended(jobs[index], removed: false))
      }
    }
  }
}
