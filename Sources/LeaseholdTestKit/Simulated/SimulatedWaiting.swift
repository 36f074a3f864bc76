package import Leasehold
import SysVTypes

/// The report to the ledger of a thread that waited in the kernel.
package enum WaitReport: Sendable {
  /// The share is the daemon's, with SEM_UNDO.
  case granted(KernelWait)
  /// The wait ended without.
  case ended(KernelWait, removed: Bool)
}

/// The threads that wait in the kernel, without threads: each step of each is taken when a test says so.
///
/// A wait goes to sleep, is granted or interrupted, leaves the table of waits, and only then reports. Between any two
/// of these the ledger may cancel it, and may begin another for the same lock.
package final class SimulatedWaiting: KernelWaiting {
  private enum Phase {
    case starting
    case entering(Int)
    case entered
    case asleep(Int)
    case over(WaitReport?)
  }

  private struct Job {
    let wait: KernelWait
    var phase = Phase.starting
    var isCanceled = false
  }

  private let kernel: SimulatedKernel
  private var jobs: [Job] = []
  /// Threads at most.
  package var threadsMax: Int
  /// Reports that were not delivered yet.
  ///
  /// Their order is that of several threads: any.
  package var reports: [WaitReport] = []
  /// Rules that the ledger broke.
  package private(set) var violations: [String] = []

  package init(kernel: SimulatedKernel, threadsMax: Int) {
    self.kernel = kernel
    self.threadsMax = threadsMax
  }

  /// Begins to wait; false when every thread is busy, those included that were canceled and did not notice yet.
  package func begin(_ wait: KernelWait) -> Bool {
    if jobs.contains(where: { $0.wait.number == wait.number }) { violations.append("wait \(wait.number) began twice") }
    guard jobs.count < threadsMax else { return false }
    jobs.append(Job(wait: wait))
    return true
  }

  package func cancel(_ number: Int) {
    for index in jobs.indices where jobs[index].wait.number == number { jobs[index].isCanceled = true }
  }

  package var count: Int { jobs.count { !$0.isCanceled } }

  /// Returns true when a lock has a wait that was not canceled and did not end.
  package func isWaiting(_ lock: Int) -> Bool { jobs.contains { $0.wait.lock == lock && !$0.isCanceled } }

  /// Units that a wait was granted and that the ledger was not told of yet.
  package func unitsOnTheWay(_ set: Int32, _ semaphore: Int) -> Int {
    let granted = jobs.filter { job in
      switch job.phase {
      case .asleep(let token): kernel.sleep(token) == .granted
      case .over(.granted?): true
      case .starting, .entering, .entered, .over: false
      }
    }
    let reported = reports.compactMap { if case .granted(let wait) = $0 { wait } else { nil } }
    return (granted.map(\.wait) + reported).filter {
      $0.set == set && $0.semaphore == semaphore && $0.share.purpose != .probe
    }.reduce(0) { $0 + $1.share.units }
  }

  /// The waits that have a step to take.
  package var runnable: [Int] {
    jobs.filter { job in
      switch job.phase {
      case .entering(let token), .asleep(let token): job.isCanceled || kernel.sleep(token) != .asleep
      case .starting, .entered, .over: true
      }
    }.map(\.wait.number)
  }

  /// Takes the next step of a wait.
  package func run(_ number: Int) {
    guard let index = jobs.firstIndex(where: { $0.wait.number == number }) else { return }
    let job = jobs[index]
    switch job.phase {
    case .starting where job.isCanceled: jobs[index].phase = .over(nil)
    case .starting:
      guard let enter = job.wait.steps.enter else { return jobs[index].phase = .entered }
      jobs[index].phase = sleep(enter, job).map { .entering($0) } ?? .over(.ended(job.wait, removed: true))
    case .entering(let token): jobs[index].phase = wakeUp(job, token, to: .entered)
    case .entered where job.isCanceled:
      leave(job)
      jobs[index].phase = .over(nil)
    case .entered:
      jobs[index].phase = sleep(job.wait.steps.wait, job).map { .asleep($0) } ?? .over(.ended(job.wait, removed: true))
    case .asleep(let token): jobs[index].phase = wakeUp(job, token, to: .over(.granted(job.wait)))
    case .over(let report):
      jobs.remove(at: index)
      if let report { reports.append(report) }
    }
  }

  private func sleep(_ list: OpList, _ job: Job) -> Int? {
    kernel.sleep(list.all, set: job.wait.set, process: SimulatedKernel.daemon)
  }

  private func leave(_ job: Job) {
    guard let leave = job.wait.steps.leave else { return }
    _ = kernel.perform(leave.all, set: job.wait.set, process: SimulatedKernel.daemon)
  }

  private func wakeUp(_ job: Job, _ token: Int, to next: Phase) -> Phase {
    switch kernel.sleep(token) {
    case .granted: return next
    case .removed: return .over(.ended(job.wait, removed: true))
    case .refused: return .over(.ended(job.wait, removed: false))
    case .asleep:
      guard job.isCanceled, kernel.interrupt(token) else { return job.phase }
      if case .asleep = job.phase { leave(job) }
      return .over(nil)
    }
  }

  /// Lets the kernel refuse every wait that sleeps, for want of memory say.
  package func failAll() {
    for index in jobs.indices {
      if case .asleep(let token) = jobs[index].phase, kernel.interrupt(token) {
        leave(jobs[index])
        jobs[index].phase = .over(.ended(jobs[index].wait, removed: false))
      }
    }
  }
}
