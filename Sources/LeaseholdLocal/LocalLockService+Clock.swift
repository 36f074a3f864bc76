public import Leasehold
import LeaseholdHost
import Synchronization

extension LocalLockService {
  private static let second: Int64 = 1_000_000_000
  /// The time between two looks at queues for which no thread could wait.
  private static let pollInterval: Int64 = 10_000_000
  /// Ends done in one go before others get the ledger.
  private static let batch = 128

  /// The thread of the clock: ends what is due, and once a second keeps house.
  func runClock() {
    var nextHousekeeping = HostClock.monotonic()
    var nextPoll: Int64 = 0
    while !isStopping.load(ordering: .sequentiallyConsistent) {
      let now = HostClock.now()
      clockTurn.store(now.nanoseconds, ordering: .relaxed)
      tellSuccession()
      if now.nanoseconds >= nextHousekeeping {
        nextHousekeeping = now.nanoseconds + Self.second
        keepHouse(now)
      }
      let polls = now.nanoseconds >= nextPoll
      if polls { nextPoll = now.nanoseconds + Self.pollInterval }
      let (more, wake) = endDue(now, polls: polls, until: nextHousekeeping)
      if more { continue }
      alarm.sleep(until: wake)
    }
  }

  /// Ends a batch of what is due; answers whether more is, and when to wake up.
  private func endDue(_ now: MonotonicInstant, polls: Bool, until latest: Int64) -> (more: Bool, wake: Int64) {
    let moment = moment(now)
    let (more, wake, notices, ends) = core.withLock { core in
      if core.storage.namesAnother { lookWhoServes(core) }
      let ledger = core.ledger
      let more = ledger.tick(at: moment, budget: Self.batch)
      if polls, ledger.wantsPolling { ledger.poll(at: moment) }
      var wake = min(latest, ledger.nextDue ?? .max)
      if ledger.wantsPolling { wake = min(wake, now.nanoseconds + Self.pollInterval) }
      core.armed = wake
      return (more, wake, ledger.takeNotices(), ledger.takeEnds(isNewSecond: false))
    }
    if !ends.isEmpty { options.onEnds?(ends) }
    for notice in notices { notice() }
    return (more, wake)
  }

  private func keepHouse(_ now: MonotonicInstant) {
    wallOffset.store(HostClock.wallOffset(), ordering: .relaxed)
    guard keepGuard() else { return }
    let moment = moment(now)
    let (drift, unfound) = change { ledger in
      ledger.housekeep(at: moment)
      return (ledger.takeDriftReports(), ledger.takeUnfound())
    }
    if !unfound.isEmpty {
      let findings = processes.find(unfound)
      _ = processes.watch.start()
      change { $0.foundProcesses(findings, at: moment) }
    }
    if let onDrift = options.onDrift { for report in drift { onDrift(report) } }
    let ends = core.withLock { $0.ledger.takeEnds(isNewSecond: true) }
    if !ends.isEmpty { options.onEnds?(ends) }
    let lastFence = keepLedger()
    guard let fences else { return }
    fences.note(lastFence, at: now)
    if fences.isStalled(at: now) {
      faults.note(.stateDirectory, "the disk of --state-dir has not taken the mark of fences for some seconds")
    }
  }

  /// Makes a ledger anew that another program removed; called once a second.
  ///
  /// Grants go on without one, and it is tried again in a second; until then the service is not ready, as its leases
  /// would not outlive it.
  ///
  /// - Returns: The last fence.
  private func keepLedger() -> UInt64 {
    do throws(LocalServiceError) {
      let isNew = try core.withLock { core throws(LocalServiceError) in try core.storage.reviveIfRemoved() }
      if isNew { faults.noteReplaced(.ledger) } else { faults.note(.ledger, nil) }
    } catch {
      faults.note(.ledger, "\(error)")
    }
    return core.withLock { UInt64(clamping: $0.ledger.lastFenceGiven) }
  }

  /// A thread that waited in the kernel has something to say.
  func pumpReported(_ wait: KernelWait, _ outcome: PumpPool.Outcome) {
    let moment = moment(HostClock.now())
    change { ledger in
      switch outcome {
      case .granted: ledger.kernelGranted(wait, at: moment)
      case .removed, .failed: ledger.kernelWaitEnded(wait, removed: outcome == .removed, at: moment)
      }
    }
  }

  /// Returns true when the ledger can be had, and the clock's thread has turned within `span`.
  ///
  /// It turns once a second at least. A thread that keeps the ledger's mutex for ever keeps this call for ever, too: a
  /// watchdog must not wait for it on a thread that others need.
  public func isAlive(within span: TimeSpan) -> Bool {
    core.withLock { _ in }
    return sinceClockTurned <= span
  }

  /// The time since the clock's thread turned.
  public var sinceClockTurned: TimeSpan {
    TimeSpan(nanoseconds: max(0, HostClock.monotonic() - clockTurn.load(ordering: .relaxed)))
  }
}
