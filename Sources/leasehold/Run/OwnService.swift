internal import CSupervise
internal import Glibc
internal import LeaseholdClient
internal import LeaseholdHost
internal import LeaseholdLocal

/// The user's own service, which a command starts where there is no other, and which ends when no command needs it.
struct OwnService: Sendable {
  private let folder = OwnFolder.current

  private init() {}

  /// The service at an endpoint, if that is the user's own and may be started.
  init?(at endpoint: ServiceEndpoint, mayStart: Bool) {
    guard mayStart, endpoint.address == address else { return nil }
  }

  /// The service for a command that may start one: one that is there, else the user's own, which then takes
  /// connections.
  static func found() throws -> ServiceAddress {
    let address = ServiceAddress.found()
    if address != .standard || address.accepts { return address }
    if let elsewhere { return elsewhere }
    let own = OwnService()
    try own.start()
    return own.folder.answers ? own.address : elsewhere ?? own.address
  }

  /// Starts the user's own service again where it was killed: its leases are in the kernel.
  static func revive() {
    let own = OwnService()
    guard ServiceAddress.found() == .standard, access(own.folder.socket, F_OK) == 0 else { return }
    try? own.start()
  }

  private var address: ServiceAddress { .unix(path: folder.socket) }

  /// Another address at which this user's daemon serves the namespace.
  private static var elsewhere: ServiceAddress? {
    LocalLockService.ownAddresses().lazy
      .compactMap { ServiceAddress($0.hasPrefix("/") ? "unix:\($0)" : $0) }.first { $0.accepts }
  }

  /// Starts the service unless it is there, and waits until it takes connections.
  ///
  /// Of many commands that do so at once, one starts it. A daemon that serves this namespace elsewhere is not doubled:
  /// the guard in the kernel sees to that.
  func start(within patience: Duration = .seconds(10)) throws {
    try folder.make()
    let deadline = HostClock.monotonic(after: patience)
    let ending = min(deadline, HostClock.monotonic(after: Self.ending))
    let turn = open("\(folder.path)/start.lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard turn >= 0 else { throw failure("\(folder.path)/start.lock: \(String(cString: strerror(errno)))") }
    // What the lock is on is closed with it.
    defer { close(turn) }
    // One for all launches, so that the log of the service that ends stays the one before.
    var log: Int32 = -1
    defer { if log >= 0 { close(log) } }
    while !folder.answers {
      if flock(turn, LOCK_EX | LOCK_NB) == 0 {
        if folder.answers { return }
        if log < 0 { log = try openLog() }
        if try launch(to: log, before: deadline, whileOthersEnd: ending) { return }
      }
      guard HostClock.monotonic() < deadline else { throw failure("another command is at it, and it does not answer") }
      poll(nil, 0, log < 0 ? 2 : 20)
    }
  }

  /// The time in which a daemon that takes no connections any more has ended, and gives the guard away.
  private static let ending = Duration.seconds(2)

  /// Starts it; says whether it, or a daemon elsewhere, takes connections; one that has been idle may have ended, or be
  /// ending.
  private func launch(
    to log: Int32, before deadline: Int64, whileOthersEnd ending: Int64
  ) throws(Failure) -> Bool {
    let helper = csupervise_detach(arguments, Self.environment, log, Self.logBytes)
    guard helper > 0 else { throw failure(String(cString: strerror(errno))) }
    var status: Int32 = 0
    // Asked once a turn: one that is idle may end right behind its answer, and has answered.
    var (hasAnswered, hasEnded) = (folder.answers, false)
    while !hasAnswered, !hasEnded, HostClock.monotonic() < deadline {
      poll(nil, 0, 1)
      hasEnded = waitpid(helper, &status, WNOHANG) == helper
      hasAnswered = folder.answers
    }
    if !hasEnded {
      kill(helper, SIGKILL)
      while waitpid(helper, nil, 0) < 0, errno == EINTR {}
    }
    // One that was refused because another serves is no failure where that one can be asked.
    if hasAnswered || (hasEnded && Self.elsewhere != nil) { return true }
    let isOthers = hasEnded && ExecResult.status(ofWait: status) == ExitStatus.temporaryFailure.rawValue
    if hasEnded, status == 0 || isOthers && HostClock.monotonic() < ending { return false }
    throw failure(hasEnded ? lastWords ?? "it ended with \(ExecResult.status(ofWait: status))" : "it does not answer")
  }

  private func failure(_ reason: String) -> Failure {
    Failure("cannot start a service of your own at \(address): \(reason) (\(logPath))", .unavailable)
  }

  // MARK: The log

  /// It is cut there: no program rotates the log of a service of one's own.
  private static let logBytes = 1 << 20

  private var logPath: String { "\(folder.path)/service.log" }

  /// A new log; the one before is kept.
  private func openLog() throws(Failure) -> Int32 {
    rename(logPath, logPath + ".1")
    let log = open(logPath, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard log >= 0 else { throw failure(String(cString: strerror(errno))) }
    return log
  }

  /// Why it ended.
  private var lastWords: String? {
    TextFile.read(logPath)?.split(separator: "\n").last { $0.hasPrefix("leasehold: ") }
      .map { String($0.dropFirst("leasehold: ".count)) }
  }

  // MARK: The program

  /// The idle time after which it ends.
  private static let idle = (variable: "LEASEHOLD_IDLE_EXIT", standard: "5m")

  private var arguments: CStringList {
    let words = [
      "leasehold", "serve", "--config", "", "--host", "none", "--unix", folder.socket, "--unix-mode", "0600",
      "--idle-exit", Environment.value(Self.idle.variable) ?? Self.idle.standard,
    ]
    return .of(words.map { strdup($0) })
  }

  /// Nothing of the command that happens to start it, but what any program needs to run here.
  private static var environment: CStringList {
    .of(
      ["PATH", "LD_LIBRARY_PATH", "TZ"].compactMap { name in Environment.value(name).map { strdup("\(name)=\($0)") } })
  }
}
