// One daemon at a time: what happens when somebody takes the guard away from the one that serves.
//
// A thread sleeps on the guard, so that its removal is noticed within microseconds: then it is made anew, or another
// daemon has it and this one is over. Before each call of the ledger a look at the header, two words in memory, tells
// whether another has put its name there; it does so before it reads anything, and then waits for the end of the one
// that was named before. So no two of them ever work on one ledger.

import Leasehold
import SysV
import Synchronization

extension LocalLockService {
  /// How long a new daemon waits for the end of one whose place it takes.
  static let patience = Duration.seconds(5)

  /// Puts this daemon's name into the ledger, then waits for the end of the one that was named there, if it still runs.
  static func succeed(_ storage: LedgerSegment, offset: Int64) throws(LocalServiceError) {
    let last = storage.namedServer
    let mark = ServerMark.own(startedMicroseconds: (HostClock.now().nanoseconds &+ offset) / 1000)
    storage.name(mark)
    guard last.namespace == mark.namespace, mark.namespace != 0, last.pid != mark.pid,
      let pid = Int32(exactly: last.pid), let handle = try? ProcessHandle(processID: pid),
      ProcessFacts(pid)?.started == last.processStarted
    else { return }
    if (try? handle.hasEnded(within: patience)) == false {
      throw .stillRunning(pid: pid)
    }
  }

  /// How often a guard is tried to be made anew for which there was no room.
  private static let pauseBetweenAttempts: Int64 = 100_000_000

  /// The thread that sleeps on the guard.
  func watchGuard() {
    while !isStopping.load(ordering: .sequentiallyConsistent), successor.load(ordering: .relaxed) == 0 {
      guard daemonGuard.withLock({ $0 }).sleepUntilRemoved() else { return }
      if isStopping.load(ordering: .sequentiallyConsistent) { return }
      // While there is no room for a new one, nobody can sleep on it.
      if keepGuard(), !daemonGuard.withLock(\.isHeld) {
        Alarm().sleep(until: HostClock.now().nanoseconds + Self.pauseBetweenAttempts)
      }
    }
  }

  /// Looks after the guard: one that somebody removed, or wrote, is taken again.
  ///
  /// False when another daemon has it: then this one is over, because two that write one ledger would undo each other's
  /// leases.
  func keepGuard() -> Bool {
    let retaken = daemonGuard.withLock { daemonGuard -> DaemonGuard.Retaking? in
      if daemonGuard.isHeld { return nil }
      let retaken = DaemonGuard.retake(key: controlKey)
      if case .done(let fresh) = retaken { daemonGuard = fresh }
      return retaken
    }
    switch retaken {
    case nil: faults.note(.guardSet, nil)
    case .done: faults.noteReplaced(.guardSet)
    case .taken(let pid): core.withLock { giveWay(to: max(1, pid), $0.ledger) }
    // Neither here nor with another daemon: the next look tries again.
    case .failed(let error): faults.note(.guardSet, "\(error)")
    }
    return successor.load(ordering: .relaxed) == 0
  }

  /// Another name is in the header: of a daemon that has the guard, or scribbled there.
  func lookWhoServes(_ core: borrowing Core) {
    guard successor.load(ordering: .relaxed) == 0 else { return }
    if daemonGuard.withLock(\.isHeld) { return core.storage.name(core.storage.server) }
    giveWay(to: Int32(clamping: core.storage.namedServer.pid), core.ledger)
  }

  /// Ends the service of this daemon: waiters are sent away, and what is in the ledger is not touched any more.
  private func giveWay(to pid: Int32, _ ledger: Ledger) {
    guard successor.exchange(pid, ordering: .sequentiallyConsistent) == 0 else { return }
    ledger.surrender()
    alarm.ring()
  }

  /// Tells of it once, on the thread of the clock.
  func tellSuccession() {
    let pid = successor.load(ordering: .relaxed)
    guard pid != 0, !hasToldSuccession.exchange(true, ordering: .relaxed) else { return }
    onSucceeded?(pid)
  }
}
