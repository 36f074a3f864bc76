internal import CSupervise
internal import Glibc
internal import LeaseholdClient
internal import LeaseholdHost

/// Runs a command under a lease: passes signals on, and stops the command before the lease is gone.
///
/// Four things keep the command from going on without its lease. The supervisor sends TERM, and KILL after the grace,
/// in time before the deadline. If it is stopped itself, the guard, a small process beside it, kills the command at
/// the deadline. If it is killed, the kernel kills the command at once (PR_SET_PDEATHSIG), the guard kills the
/// command's process group, waits until it is gone, and gives the lease back. If all are killed, the clock ends it.
final class Supervisor {
  private static let passedOn = [SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH]

  private let command: CommandWords
  private let renewal: Renewal
  private let guardian: Guardian
  private let grace: Duration
  private let signals: CaughtSignals
  /// The descriptor of the terminal we run in, or -1.
  private let terminal: Int32
  private var child: pid_t = 0
  /// Why the command was stopped, if it was.
  private(set) var lost: String?
  private var killAt: Int64?
  private var wasToldToStop = false

  /// Catches signals from here on.
  init(command: CommandWords, renewal: Renewal, guardian: Guardian, grace: Duration) throws {
    self.command = command
    self.renewal = renewal
    self.guardian = guardian
    self.grace = grace
    // A write to a terminal or a guard that is gone raises PIPE: no reason to leave the command alone.
    guard let signals = CaughtSignals(Self.passedOn + [SIGTSTP, SIGCONT, SIGCHLD, SIGPIPE], always: [SIGCHLD]) else {
      throw Failure("signals cannot be caught: \(errorText(errno))", .cannotCreate)
    }
    self.signals = signals
    // A parent may have left it blocked: then neither the end of the command nor a lost lease would wake us.
    var endOfChild = sigset_t()
    sigemptyset(&endOfChild)
    sigaddset(&endOfChild, SIGCHLD)
    pthread_sigmask(SIG_UNBLOCK, &endOfChild, nil)
    terminal = isatty(STDIN_FILENO) == 1 ? STDIN_FILENO : -1
  }

  /// Starts the command; the guard knows of it before it runs.
  func start(environment: CStringList) throws {
    guardian.look()
    let terminal = isForeground ? terminal : -1
    let code = csupervise_spawn(command.pointer, environment, terminal, guardian.guardian, &child)
    guard code == 0 else {
      takeTerminalBack()
      throw ExecResult.failure(command.program, code: code)
    }
  }

  /// Supervises until the command has ended.
  ///
  /// It is not reaped yet, so that its number stays its own.
  func finish() -> Int32 {
    while true {
      if let status = endedOrStopped() { return status }
      decide()
      let caught = signals.next(within: timeout())
      for signal in caught { handle(signal) }
      if caught.contains(SIGCHLD) { guardian.look() }
    }
  }

  /// Takes the terminal back and reaps the command.
  func reap() {
    takeTerminalBack()
    while waitpid(child, nil, 0) < 0, errno == EINTR {}
  }

  // MARK: The command

  /// The wait status once the command has ended; stops with it when it was stopped.
  private func endedOrStopped() -> Int32? {
    var information = siginfo_t()
    while true {
      guard waitid(P_PID, id_t(child), &information, WEXITED | WNOHANG | WNOWAIT) == 0 else {
        if errno == EINTR { continue }
        break
      }
      guard information.si_signo == SIGCHLD else { break }
      let status = information._sifields._sigchld.si_status
      return information.si_code == Int32(CLD_EXITED) ? status << 8 : status
    }
    var status: Int32 = 0
    guard waitpid(child, &status, WNOHANG | WUNTRACED) == child else { return nil }
    // It ended between the two looks, or the first failed: then it is reaped by now.
    guard let signal = ExecResult.stopSignal(ofWait: status) else { return status }
    stopped(by: signal)
    return nil
  }

  /// Stops this process as its command was stopped, where a shell can continue it.
  ///
  /// The lease goes on only as long as its time.
  private func stopped(by signal: Int32) {
    let isByTerminal = terminal >= 0 && [SIGTSTP, SIGTTIN, SIGTTOU].contains(signal)
    guard isByTerminal || wasToldToStop else { return }
    wasToldToStop = false
    takeTerminalBack()
    csupervise_stop_self()
    // Continued. What became of the lease meanwhile is decided before the command runs on.
    decide()
    goOn()
  }

  /// Continues the command, in the foreground if that is where we are.
  private func goOn() {
    if isForeground { _ = csupervise_give_terminal(terminal, child) }
    kill(-child, SIGCONT)
  }

  /// True when the terminal is ours to hand over.
  private var isForeground: Bool { terminal >= 0 && tcgetpgrp(terminal) == getpgrp() }

  private func takeTerminalBack() {
    if terminal >= 0, child > 0, tcgetpgrp(terminal) == child { _ = csupervise_give_terminal(terminal, getpgrp()) }
  }

  private func handle(_ signal: Int32) {
    switch signal {
    case SIGCHLD, SIGPIPE: break
    case SIGTSTP:
      wasToldToStop = true
      kill(-child, SIGTSTP)
    case SIGCONT: goOn()
    default: kill(-child, signal)
    }
  }

  // MARK: The lease

  /// Begins to stop the command when it is time to, and kills it when the grace is over.
  private func decide() {
    let now = HostClock.monotonic()
    if lost == nil {
      if let reason = renewal.lost {
        stop("the lease is lost: \(reason)", killAt: now + grace.wholeNanoseconds)
      } else if let deadline = renewal.deadline, now >= deadline - lead {
        let reason = "the service did not renew the lease, whose time is nearly up"
        stop(reason, killAt: min(now + grace.wholeNanoseconds, deadline - margin))
      }
    }
    if let killAt, now >= killAt {
      kill(-child, SIGKILL)
      self.killAt = nil
    }
  }

  private func stop(_ reason: String, killAt: Int64) {
    lost = reason
    self.killAt = killAt
    Output.complain("\(reason); stopping the command")
    kill(-child, SIGTERM)
    // A stopped process does nothing about TERM.
    kill(-child, SIGCONT)
  }

  /// The time before the deadline at which the command is told to end.
  private var lead: Int64 { grace.wholeNanoseconds + margin }

  /// The time before the deadline at which it is killed.
  private var margin: Int64 { Self.margin(grace: grace) }

  private static func margin(grace: Duration) -> Int64 { min(500_000_000, grace.wholeNanoseconds / 4 + 10_000_000) }

  /// When the guard kills the command: after we should have, and before the deadline, as a kill takes a moment.
  static func guardTime(deadline: Int64, grace: Duration) -> Int64 { deadline - margin(grace: grace) / 2 }

  /// Milliseconds until something must be decided; -1 when only an event can change anything.
  private func timeout() -> Int32 {
    let next = lost == nil ? renewal.deadline.map { $0 - lead } : killAt
    guard let next else { return -1 }
    return HostClock.milliseconds(until: next)
  }
}
