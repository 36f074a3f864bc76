/// A process that leases may end with, held in such a way that its number cannot come to mean another one; or all of a
/// cgroup's, which are over when there is none left.
///
/// It is watched for as long as there is a reference to it.
public protocol BoundProcess: AnyObject, Sendable {
  /// The stamp that tells it from others, for the next daemon.
  var stamp: ProcessStamp { get }
  /// True when it is over; never false again.
  var hasEnded: Bool { get }
  /// Sends it a signal, if a user may do that; nothing happens when it is over.
  ///
  /// `isAgain`: it was killed before, and lives.
  func stop(_ signal: StopSignal, for user: UInt32?, isAgain: Bool)
}

/// The signals by which a process is stopped.
public enum StopSignal: Sendable {
  /// TERM: it may finish.
  case terminate
  /// KILL.
  case kill
}

/// Names a process across restarts of the daemon: a number is used again, a number with a start is not; or a cgroup.
public struct ProcessStamp: Hashable, Sendable {
  /// The inode of the PID namespace that ``pid`` counts in; of a cgroup, the root's low half.
  public var namespace: UInt32
  /// Its number as the daemon sees it; 0 when it cannot be seen from there, -1 for a cgroup.
  public var pid: Int32
  /// When it began, in clock ticks since boot (proc_pid_stat(5), field 22); 0 when that is not known.
  ///
  /// Of a cgroup its id, which is its folder's inode and no other cgroup's until the next boot.
  public var started: UInt64

  /// Makes a stamp.
  public init(namespace: UInt32, pid: Int32, started: UInt64) {
    self.namespace = namespace
    self.pid = pid
    self.started = started
  }

  /// The stamp of a cgroup.
  public init(cgroup id: UInt64, below root: UInt64) {
    self.init(namespace: UInt32(truncatingIfNeeded: root), pid: ProcessBinding.cgroup, started: id)
  }

  /// True when it is a cgroup's.
  public var isCgroup: Bool { pid == ProcessBinding.cgroup }

  /// True when a daemon can find the process again by it.
  public var isFindable: Bool { (pid > 0 || isCgroup) && started > 0 }
}

/// The process that a caller asks a lease to be bound to.
public enum AskedProcess: Hashable, Sendable {
  /// The one that made the connection.
  case peer
  /// By its number in the caller's PID namespace.
  case number(Int32)
  /// All of the cgroup that the one which made the connection is in, or of the one with this path.
  case cgroup(String?)

  /// The number; 0 for the peer, -1 for a cgroup.
  public var name: Int32 {
    switch self {
    case .peer: 0
    case .number(let number): number
    case .cgroup: ProcessBinding.cgroup
    }
  }
}

/// A process that was found, and what its caller calls it.
///
/// One word in each request, as few have one.
public final class ProcessBinding: Sendable {
  /// The process.
  public let process: any BoundProcess
  /// Its number in the caller's PID namespace; 0 for the caller itself, -1 for a cgroup.
  public let name: Int32
  /// The CPU time that it had used when it was found, with children that it waited for; `nil` where it is not known.
  public let cpuTime: TimeSpan?
  /// The time from TERM to KILL when it is to be stopped before its lease goes on; `nil` when it is not.
  public let stopGrace: TimeSpan?

  /// The name of every cgroup.
  public static let cgroup: Int32 = -1

  /// Makes a binding.
  public init(_ process: any BoundProcess, name: Int32, cpuTime: TimeSpan? = nil, stopGrace: TimeSpan? = nil) {
    (self.process, self.name, self.cpuTime, self.stopGrace) = (process, name, cpuTime, stopGrace)
  }

  /// The same of a process that is to be stopped, or is not.
  public func stopping(after grace: TimeSpan?) -> ProcessBinding {
    ProcessBinding(process, name: name, cpuTime: cpuTime, stopGrace: grace)
  }
}

/// The process of a lease, and what it had used before.
public struct BondUse: Sendable {
  /// The process.
  public let stamp: ProcessStamp
  /// The CPU time that it had used when the lease was asked for.
  public let before: TimeSpan
}

/// The fate of a process that leases of the last daemon are bound to.
public enum ProcessFinding: Sendable {
  /// It lives.
  case found(any BoundProcess)
  /// It ended, and its number may be another's by now.
  case gone
  /// It cannot be seen from here.
  case unknown
}
