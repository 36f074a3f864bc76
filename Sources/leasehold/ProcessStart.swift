internal import Glibc

/// The duties of every command towards the program that started it, done before anything else.
enum ProcessStart {
  static func prepare() {
    guard openStandardDescriptors() else { exit(ExitStatus.cannotCreate.rawValue) }
    // The Swift runtime catches these to write a backtrace where its tool lies beside its libraries, which takes
    // seconds, and then many lines; a user who sends one wants the process gone. What is ignored stays so, as nohup(1)
    // wants it.
    for number in [SIGQUIT, SIGABRT] where isCaught(number) { signal(number, SIG_DFL) }
  }

  /// Puts `/dev/null` where standard input, output or error is closed: else the next socket would have its number, and
  /// messages would go to a client.
  private static func openStandardDescriptors() -> Bool {
    for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) < 0 && errno == EBADF {
      // The lowest free number is this one, as those before it are open.
      guard open("/dev/null", O_RDWR) == descriptor else { return false }
    }
    return true
  }

  private static func isCaught(_ signal: Int32) -> Bool {
    var action = sigaction()
    guard sigaction(signal, nil, &action) == 0 else { return false }
    // Handlers are addresses; 0 is SIG_DFL, 1 SIG_IGN.
    return UInt(bitPattern: unsafeBitCast(action.__sigaction_handler.sa_sigaction, to: Int.self)) > 1
  }
}
