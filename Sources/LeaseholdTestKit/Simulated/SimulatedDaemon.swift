package import Leasehold

/// A ledger with everything it stands on, simulated: it can be crashed between any two steps and started again.
///
/// Nothing happens by itself: time passes when ``clock`` is moved, waiting threads run when told to.
package final class SimulatedDaemon {
  /// The clock that ``moment`` reads.
  package let clock = ManualClock()
  /// Stops the world.
  package let crash: CrashSwitch
  /// Outlives the daemon.
  package let storage: MemoryStorage
  /// Outlives the daemon.
  package let kernel: SimulatedKernel
  /// Outlive the daemon.
  package let processes = SimulatedProcesses()
  /// Dies with the daemon.
  package private(set) var waiting: SimulatedWaiting
  /// Dies with the daemon.
  package private(set) var ledger: Ledger
  /// The maxima in force after the next restart.
  package var limits: Limits
  private let makeID: () -> LeaseID

  /// A host without sets and a daemon that serves.
  package init(limits: Limits = Limits(), records: Int = 256, seed: UInt64 = 1) {
    let crash = CrashSwitch()
    self.crash = crash
    self.limits = limits
    storage = MemoryStorage(capacity: records, crash: crash)
    kernel = SimulatedKernel(crash: crash)
    waiting = SimulatedWaiting(kernel: kernel, threadsMax: limits.pumps)
    var random = SeededRandom(seed: seed)
    makeID = { LeaseID(high: random.next(), low: random.next()) }
    ledger = Ledger(storage: storage, kernel: kernel, waiting: waiting, limits: limits, makeID: makeID)
    ledger.recover(at: clock.moment)
  }

  package var moment: Moment { clock.moment }

  /// The daemon is killed, unless it is dead, and another one starts: what it had marked with SEM_UNDO is undone, its
  /// waits are gone, the ledger is recovered.
  ///
  /// A crash that was prepared before may fall into the recovery.
  package func restart(crashAfterStep step: Int? = nil) {
    crash.crashNow()
    crash.thaw()
    for pid in processes.dying {
      processes.onKill(pid)
      processes.end(pid)
    }
    kernel.kill(SimulatedKernel.daemon)
    waiting = SimulatedWaiting(kernel: kernel, threadsMax: limits.pumps)
    ledger = Ledger(storage: storage, kernel: kernel, waiting: waiting, limits: limits, makeID: makeID)
    if let step { crash.crash(afterStep: step) }
    ledger.recover(at: clock.moment)
    ledger.foundProcesses(processes.find(ledger.lostProcesses), at: clock.moment)
  }

  /// Tells the ledger what a waiting thread reported.
  package func deliver(_ report: WaitReport) {
    switch report {
    case .granted(let wait): ledger.kernelGranted(wait, at: moment)
    case .ended(let wait, let removed): ledger.kernelWaitEnded(wait, removed: removed, at: moment)
    }
  }

  /// Lets every waiting thread run until none has anything to do, and all clients hear what concerns them.
  package func settle() {
    tell()
    endKilled()
    tell()
    while let number = waiting.runnable.first {
      waiting.run(number)
      while !waiting.reports.isEmpty { deliver(waiting.reports.removeFirst()) }
      tell()
    }
  }

  /// Tells all clients what concerns them; none hears anything of a daemon that is dead.
  package func tell() {
    let notices = ledger.takeNotices()
    guard !crash.hasCrashed else { return }
    for notice in notices { notice() }
  }

  /// Lets time pass and what is due happen.
  package func advance(by span: TimeSpan) {
    clock.advance(by: span)
    while ledger.tick(at: moment, budget: 64) { tell() }
    if ledger.wantsPolling { ledger.poll(at: moment) }
    settle()
  }
}
