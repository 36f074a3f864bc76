internal import ArgumentParser

/// The statuses `leasehold` ends with; they are those of sysexits(3).
enum ExitStatus: Int32, CaseIterable, Sendable {
  case ok = 0
  case usage = 64  // EX_USAGE
  case noInput = 66  // EX_NOINPUT
  case unavailable = 69  // EX_UNAVAILABLE
  case software = 70  // EX_SOFTWARE
  case cannotCreate = 73  // EX_CANTCREAT
  case temporaryFailure = 75  // EX_TEMPFAIL
  case noPermission = 77  // EX_NOPERM
  case configuration = 78  // EX_CONFIG

  /// The same status in the words of the argument parser.
  var exitCode: ExitCode { ExitCode(rawValue) }

  /// The meaning of the status, for the manual.
  var meaning: String {
    switch self {
    case .ok: "done"
    case .usage: "the command line cannot be understood, or the value of a flag cannot be used"
    case .noInput: "there is no lock, lease, set, segment or variable of this name"
    case .unavailable: "the daemon, or something it needs, cannot be reached"
    case .software: "a fault of the program itself"
    case .cannotCreate: "a listener, a socket file or a kernel object cannot be made"
    case .temporaryFailure: "another daemon is at work here; trying later may help"
    case .noPermission: "the kernel refuses for lack of rights"
    case .configuration: "the environment or the configuration file cannot be used"
    }
  }
}
