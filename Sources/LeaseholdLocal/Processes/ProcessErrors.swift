import Leasehold
import SysV
import SystemPackage

extension LeaseholdError {
  private static func bind(_ name: Int32?) -> [(name: String, value: Value)] {
    [("parameter", .text("bind")), ("value", .text(ProcessBinding.text(of: name ?? 0)))]
  }

  /// Only a Unix socket tells which process is at its other end.
  static func bindNeedsUnixSocket(_ asked: AskedProcess) -> LeaseholdError {
    LeaseholdError(
      .invalidParameter,
      "A lease can be bound to a process over the Unix socket only; use bind=connection, hold or a "
        + "ttl.", facts: bind(asked.name))
  }

  /// There is no such process, or not any more.
  static func processEnded(_ asked: AskedProcess) -> LeaseholdError {
    LeaseholdError(
      .noSuchProcess,
      asked == .peer
        ? "The process that made this connection has ended, so no lease can be bound to it, and nothing is known of "
          + "the numbers of its PID namespace. Connect from a process that lives."
        : "There is no process \(asked.name) in your PID namespace, or it has ended.",
      facts: bind(asked.name))
  }

  /// The process cannot be seen from here.
  static func processUnseen(_ number: Int32?) -> LeaseholdError {
    LeaseholdError(
      .noSuchProcess,
      number.map {
        "Process \($0) cannot be found from here: the numbers of your PID namespace cannot be seen from the service's. "
          + "Use bind=peer in a request of that process itself, bind=connection, hold or a ttl; or let the service "
          + "share your PID namespace (--pid=host, hostPID, shareProcessNamespace)."
      }
        ?? "The process that made this connection cannot be seen from the service's PID namespace, and this kernel "
        + "cannot name it otherwise (Linux 6.5 can). Use bind=connection, hold or a ttl; or let both share a PID "
        + "namespace.",
      facts: bind(number))
  }

  /// It belongs to another user.
  static func processOfAnother(_ number: Int32, owner: UInt32, _ uid: UInt32) -> LeaseholdError {
    LeaseholdError(
      .permissionDenied,
      "Process \(number) belongs to user \(owner), and you are user \(uid): a lease can be bound to processes of your "
        + "own.",
      facts: bind(number) + [("uid", .number(Int64(owner))), ("errno", .text("EPERM"))])
  }

  /// The caller could not send it signals.
  static func stopDenied(_ number: Int32, owner: UInt32, _ uid: UInt32?) -> LeaseholdError {
    LeaseholdError(
      .permissionDenied,
      "Process \(number) runs as user \(owner), and "
        + (uid.map { "user \($0)" } ?? "whoever is not known") + " may not stop it: leave out stop=term.",
      facts: [("parameter", .text("stop")), ("uid", .number(Int64(owner))), ("errno", .text("EPERM"))])
  }

  /// The service could not send it signals.
  static func stopImpossible(_ number: Int32) -> LeaseholdError {
    LeaseholdError(
      .permissionDenied,
      "The service may not send signals to process \(number), so it cannot stop it: leave out stop=term, or let the "
        + "service run as root, as the same user, or with CAP_KILL (AmbientCapabilities=CAP_KILL in its unit).",
      facts: [("parameter", .text("stop")), ("errno", .text("EPERM"))])
  }

  /// The kernel does not hold it for us.
  static func processRefused(_ error: Errno, _ number: Int32? = nil) -> LeaseholdError {
    switch error {
    case .noSuchProcess: return .processEnded(.number(number ?? 0))
    case .invalidArgument:
      return LeaseholdError(
        .noSuchProcess, "\(number ?? 0) is not the number of a process but of one of its threads.", facts: bind(number))
    case .noFunction:
      return LeaseholdError(
        .noSuchProcess,
        "This kernel cannot hold processes (pidfd_open, Linux 5.3); use bind=connection, hold or a ttl.",
        facts: bind(number))
    default:
      return LeaseholdError(
        .kernelLimit,
        "The kernel refused to watch a process (\(error.label)); end some leases with bind=pid, or raise the limit "
          + "(ulimit -n, LimitNOFILE).",
        facts: [("errno", .text(error.label)), ("limit", .text("RLIMIT_NOFILE"))], retryAfter: .seconds(1))
    }
  }

  /// There is nothing that tells of cgroups.
  static func noCgroups() -> LeaseholdError {
    cgroup(
      "The service sees no cgroup v2 here (no mount of type cgroup2 in its /proc/self/mountinfo), so no lease can end "
        + "with a cgroup.")
  }

  /// The caller's is the root, which the kernel does not watch.
  static func rootCgroup() -> LeaseholdError {
    cgroup(
      "Your process is in the root cgroup, which never becomes empty: start it in one of its own (a systemd unit, "
        + "systemd-run --scope).")
  }

  /// The service is in it, and is kept busy by the lease.
  static func serviceCgroup(_ path: String) -> LeaseholdError {
    cgroup(
      "The service itself runs in cgroup '\(path)' or below it, so it would never be empty: start your program in "
        + "one of its own (a systemd unit, systemd-run --scope).")
  }

  /// It is elsewhere, or may not be looked at.
  static func cgroupUnseen(_ path: String?) -> LeaseholdError {
    guard let path else { return cgroup("Your cgroup cannot be seen from the service's.") }
    return cgroup("There is no cgroup '\(path)' that both you and the service can see.")
  }

  /// The caller's names are others than the service's, or may be.
  static func foreignCgroups() -> LeaseholdError {
    cgroup(
      "A cgroup is named as the service sees it. You see other names, or the service cannot tell, because you are "
        + "another user: give bind=cgroup, which is your own, or ask as the service's user.")
  }

  /// It has no process.
  static func emptyCgroup(_ path: String) -> LeaseholdError { cgroup("Cgroup '\(path)' is empty.") }

  private static func cgroup(_ detail: String) -> LeaseholdError {
    LeaseholdError(
      .noSuchProcess, detail + " Or use bind=pid:N, bind=connection, hold or a ttl.",
      facts: bind(ProcessBinding.cgroup))
  }

  /// As many processes as may have leases.
  static func tooManyProcesses(_ processesMax: Int) -> LeaseholdError {
    LeaseholdError(
      .tooManyProcesses,
      "The service watches \(processesMax) processes, its maximum (max-processes); use bind=connection, hold or a ttl, "
        + "or start it with a larger --max-processes.",
      facts: [("limit", .text("max-processes")), ("value", .number(Int64(processesMax)))], retryAfter: .seconds(1))
  }
}
