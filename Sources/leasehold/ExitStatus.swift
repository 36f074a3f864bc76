internal import ArgumentParser

/// The statuses `leasehold` ends with; they are those of sysexits(3).
enum ExitStatus: Int32, CaseIterable, Sendable {
  /// It did what it was asked to do.
  case ok = 0
  /// The command line cannot be understood, or a flag's value cannot be used (EX_USAGE).
  case usage = 64
  /// There is no lock, lease, set, segment or variable of this name (EX_NOINPUT).
  case noInput = 66
  /// The daemon, or something it needs, cannot be reached (EX_UNAVAILABLE).
  case unavailable = 69
  /// A fault of the program itself (EX_SOFTWARE).
  case software = 70
  /// A listener, a socket file or a kernel object cannot be made (EX_CANTCREAT).
  case cannotCreate = 73
  /// Another daemon is at work here; a later attempt may succeed (EX_TEMPFAIL).
  case temporaryFailure = 75
  /// The kernel refuses for lack of rights (EX_NOPERM).
  case noPermission = 77
  /// The environment or the configuration file cannot be used (EX_CONFIG).
  case configuration = 78

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
