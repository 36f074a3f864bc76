// One daemon at a time: what happens when the guard is taken away from the one that serves.
//
// A thread sleeps on the guard, so that its removal is noticed within microseconds: then it is made anew, or another
// daemon has it and this one is over. Before each call of the ledger a look at the header, two words in memory, tells
// whether another has put its name there; it does so before it reads anything, and then waits for the end of the one
// that was named before. So no two of them ever work on one ledger.

import Leasehold
import LeaseholdHost
import SysV
import Synchronization

extension LocalLockService {
  /// The time for which a new daemon waits for the end of one whose place it takes.
  private static let patience = TimeSpan.seconds(5)

  /// Waits for the end of the daemon that was named in the ledger before this one, if it still runs.
  static func awaitEnd(of last: ServerMark, while goOn: () -> Bool) throws(LocalServiceError) {
    guard last.namespace != 0, last.namespace == ProcessFacts.ownNamespace(), last.pid != HostFacts.pid,
      let pid = Int32(exactly: last.pid), let handle = try? ProcessHandle(processID: pid),
      ProcessFacts(pid)?.started == last.processStarted
    else { return }
    let deadline = HostClock.now() + patience
    while (try? handle.hasEnded(within: .milliseconds(50))) != true {
      guard goOn() else { throw .canceled }
      guard HostClock.now() < deadline else { throw .stillRunning(pid: pid) }
    }
  }

  /// The time between two tries to make a guard for which there was no room.
  private static let pauseBetweenAttempts: Int64 = 100_000_000

  /// The thread that sleeps on the guard.
  func watchGuard() {
    while !isStopping.load(ordering: .sequentiallyConsistent), !isSucceeded {
      daemonGuard.withLock { $0 }.sleepUntilRemoved()
      guard !isStopping.load(ordering: .sequentiallyConsistent), keepGuard() else { return }
      // Where it cannot be made anew there is nothing to sleep on.
      if case .nobody = daemonGuard.withLock(\.holder) {
        HostClock.sleep(nanoseconds: Self.pauseBetweenAttempts)
      }
    }
  }

  /// Looks after the guard: one that another program removed, or wrote, is taken again.
  ///
  /// False when another daemon has it: then this one is over, because two that write one ledger would undo each other's
  /// leases.
  func keepGuard() -> Bool {
    if let pid = takeGuardAgain() { core.withLock { giveWay(to: pid, $0.ledger) } }
    return !isSucceeded
  }

  /// Answers the daemon that was faster.
  private func takeGuardAgain() -> Int32? {
    do throws(LocalServiceError) {
      let (isReplaced, pid) = try daemonGuard.withLock { daemonGuard throws(LocalServiceError) -> (Bool, Int32?) in
        // A value that a program wrote tells nothing of another daemon: the header names the one that has the guard.
        guard case .nobody = daemonGuard.holder else { return (false, nil) }
        let fresh = try DaemonGuard(key: options.controlKey)
        if let pid = try fresh.tryTake() { return (false, max(1, pid)) }
        daemonGuard = fresh
        return (true, nil)
      }
      if let pid { return pid }
      if isReplaced { faults.noteReplaced(.guardSet) } else { faults.note(.guardSet, nil) }
    } catch {
      // Neither this daemon nor another has the guard: the next look tries again.
      faults.note(.guardSet, "\(error)")
    }
    return nil
  }

  /// Finds out whether another name in the header is that of a daemon that has the guard, or was scribbled there.
  func lookWhoServes(_ core: borrowing Core) {
    guard !isSucceeded else { return }
    if let pid = takeGuardAgain() { return giveWay(to: pid, core.ledger) }
    if case .this = daemonGuard.withLock(\.holder) { return core.storage.name(core.storage.server) }
    giveWay(to: Int32(clamping: core.storage.namedServer.pid), core.ledger)
  }

  /// Ends the service of this daemon: waiters are sent away, and what is in the ledger is not touched any more.
  private func giveWay(to pid: Int32, _ ledger: Ledger) {
    guard successor.exchange(max(1, pid), ordering: .sequentiallyConsistent) == 0 else { return }
    ledger.surrender()
    alarm.ring()
  }

  /// Tells of it once, on the thread of the clock.
  func tellSuccession() {
    let pid = successor.load(ordering: .relaxed)
    guard pid != 0, !hasToldSuccession.exchange(true, ordering: .relaxed) else { return }
    options.onSucceeded?(pid)
  }
}
