package import Leasehold

/// A process of the simulated host, or all of a cgroup's.
///
/// For one thread at a time.
package final class SimulatedProcess: BoundProcess, @unchecked Sendable {
  /// The stamp that tells it from others.
  package let stamp: ProcessStamp
  package fileprivate(set) var hasEnded = false
  /// The number of times that it got TERM.
  package private(set) var terms = 0
  /// True when it got KILL.
  package private(set) var isKilled = false

  init(_ stamp: ProcessStamp) { self.stamp = stamp }

  package func stop(_ signal: StopSignal, for user: UInt32?, isAgain: Bool) {
    switch signal {
    case .terminate: terms += 1
    case .kill: isKilled = true
    }
  }
}

/// The processes of the simulated host that leases may be bound to.
package final class SimulatedProcesses {
  private var living: [Int32: SimulatedProcess] = [:]
  private var starts: UInt64 = 0
  /// Processes that the next daemon cannot see, by their numbers.
  package var hidden: Set<Int32> = []
  /// Processes that live on though they are killed, by their numbers.
  package var unkillable: Set<Int32> = []
  /// Hears of those that end by KILL.
  package var onKill: (Int32) -> Void = { _ in }

  /// The process of a number: the one that lives, or a new one; below 0 it is a cgroup.
  package func run(_ pid: Int32) -> SimulatedProcess {
    if let process = living[pid] { return process }
    starts += 1
    let process = SimulatedProcess(
      pid < 0 ? ProcessStamp(cgroup: starts, below: 1) : ProcessStamp(namespace: 1, pid: pid, started: starts))
    living[pid] = process
    return process
  }

  /// Ends a process; answers which it was.
  ///
  /// The caller tells its watchers.
  @discardableResult
  package func end(_ pid: Int32) -> SimulatedProcess? {
    let process = living.removeValue(forKey: pid)
    process?.hasEnded = true
    return process
  }

  /// The numbers of those that KILL is about to end.
  var dying: [Int32] { pids.filter { living[$0]?.isKilled == true && !unkillable.contains($0) } }

  /// Returns true when the slots of a lease go on only when its process is over, which the daemon can see.
  func stops(_ lease: LeaseSnapshot) -> Bool {
    lease.stopGrace != nil && lease.process.map { living[$0] != nil && !hidden.contains($0) } ?? false
  }

  /// The numbers of those that live.
  package var pids: [Int32] { living.keys.sorted() }

  /// The findings of a daemon that starts about the last one's processes.
  package func find(_ stamps: [ProcessStamp]) -> [ProcessStamp: ProcessFinding] {
    Dictionary(uniqueKeysWithValues: stamps.map { ($0, find($0)) })
  }

  private func find(_ stamp: ProcessStamp) -> ProcessFinding {
    if hidden.contains(stamp.pid) { return .unknown }
    guard let process = living[stamp.pid], process.stamp == stamp else { return .gone }
    return .found(process)
  }
}

extension SimulatedDaemon {
  /// Those that were killed end.
  func endKilled() {
    for pid in processes.dying {
      processes.onKill(pid)
      if let process = processes.end(pid), !crash.hasCrashed { ledger.processEnded(process, at: moment) }
    }
  }

  /// A process ends, and the daemon hears of it if it lives.
  package func endProcess(_ pid: Int32) {
    guard let process = processes.end(pid), !crash.hasCrashed else { return }
    ledger.processEnded(process, at: moment)
    settle()
  }
}
