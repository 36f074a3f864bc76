public import Leasehold
import Synchronization

/// A process of the simulated host, or all of a cgroup's.
public final class SimulatedProcess: BoundProcess {
  /// The stamp that tells it from others.
  public let stamp: ProcessStamp
  private let ended = Atomic(false)

  init(_ stamp: ProcessStamp) { self.stamp = stamp }

  /// True when it is over.
  public var hasEnded: Bool { ended.load(ordering: .relaxed) }

  fileprivate func end() { ended.store(true, ordering: .relaxed) }
}

/// The processes of the simulated host that leases may be bound to.
public final class SimulatedProcesses {
  private var living: [Int32: SimulatedProcess] = [:]
  private var starts: UInt64 = 0
  /// Processes that the next daemon cannot see, by their numbers.
  public var hidden: Set<Int32> = []

  /// The process of a number: the one that lives, or a new one; below 0 it is a cgroup.
  public func run(_ pid: Int32) -> SimulatedProcess {
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
  public func end(_ pid: Int32) -> SimulatedProcess? {
    let process = living.removeValue(forKey: pid)
    process?.end()
    return process
  }

  /// The numbers of those that live.
  public var pids: [Int32] { living.keys.sorted() }

  /// The findings of a daemon that starts about the last one's processes.
  public func find(_ stamps: [ProcessStamp]) -> [ProcessStamp: ProcessFinding] {
    Dictionary(uniqueKeysWithValues: stamps.map { ($0, find($0)) })
  }

  private func find(_ stamp: ProcessStamp) -> ProcessFinding {
    if hidden.contains(stamp.pid) { return .unknown }
    guard let process = living[stamp.pid], process.stamp == stamp else { return .gone }
    return .found(process)
  }
}

extension SimulatedDaemon {
  /// A process ends, and the daemon hears of it if it lives.
  public func endProcess(_ pid: Int32) {
    guard let process = processes.end(pid), !crash.hasCrashed else { return }
    ledger.processEnded(process, at: moment)
    settle()
  }
}
