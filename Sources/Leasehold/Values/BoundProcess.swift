/// A process that leases may end with, held in such a way that its number cannot come to mean another one.
///
/// It is watched for as long as there is a reference to it.
public protocol BoundProcess: AnyObject, Sendable {
  /// The stamp that tells it from others, for the next daemon.
  var stamp: ProcessStamp { get }
  /// True when it is over; never false again.
  var hasEnded: Bool { get }
}

/// Names a process across restarts of the daemon: a number is used again, a number with a start is not.
public struct ProcessStamp: Hashable, Sendable {
  /// The inode of the PID namespace that ``pid`` counts in.
  public var namespace: UInt32
  /// Its number as the daemon sees it; 0 when it cannot be seen from there.
  public var pid: Int32
  /// When it began, in clock ticks since boot (proc_pid_stat(5), field 22); 0 when that is not known.
  public var started: UInt64

  /// Makes a stamp.
  public init(namespace: UInt32, pid: Int32, started: UInt64) {
    self.namespace = namespace
    self.pid = pid
    self.started = started
  }

  /// True when a daemon can find the process again by it.
  public var isFindable: Bool { pid > 0 && started > 0 }
}

/// The process that a caller asks a lease to be bound to.
public enum AskedProcess: Hashable, Sendable {
  /// The one that made the connection.
  case peer
  /// By its number in the caller's PID namespace.
  case number(Int32)

  /// The number; 0 for the peer.
  public var name: Int32 {
    switch self {
    case .peer: 0
    case .number(let number): number
    }
  }
}

/// A process that was found, and what its caller calls it.
public struct ProcessBinding: Sendable {
  /// The process.
  public let process: any BoundProcess
  /// Its number in the caller's PID namespace; 0 for the caller itself.
  public let name: Int32
  /// The CPU time that it had used when it was found, with children that it waited for; `nil` where it is not known.
  public let cpuTime: TimeSpan?

  /// Makes a binding.
  public init(_ process: any BoundProcess, name: Int32, cpuTime: TimeSpan? = nil) {
    self.process = process
    self.name = name
    self.cpuTime = cpuTime
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
