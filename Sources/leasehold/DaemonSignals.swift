internal import Glibc
internal import Leasehold
internal import LeaseholdHost
internal import LeaseholdLocal
internal import Logging
import Synchronization

/// SIGTERM, SIGINT and SIGHUP, heard by a thread of their own: whatever else hangs, the daemon can be stopped.
///
/// The first SIGTERM or SIGINT asks for an orderly end, and bounds the time it takes; the second is that end.
final class DaemonSignals: Sendable {
  /// Rings when the daemon is told to stop.
  private let stopAlarm = Alarm()
  /// The action that SIGHUP asks for.
  private let reload = Mutex<(@Sendable () -> Void)?>(nil)
  private let stopAsked = Atomic(false)
  private let log: DaemonLog
  private let patience: TimeSpan

  /// The time that an orderly end may take beyond `--drain-timeout`: the last lines of the log, and ending the threads.
  private static let spare = TimeSpan.seconds(3)

  /// Catches the signals from here on.
  init(log: DaemonLog, drainTimeout: TimeSpan) throws(Failure) {
    self.log = log
    patience = TimeSpan(nanoseconds: drainTimeout.nanoseconds + Self.spare.nanoseconds)
    let signals = [SIGTERM, SIGINT, SIGHUP]
    guard let caught = CaughtSignals(signals, always: signals),
      HostThread(named: "lh-signals", { [self] in run(caught) }) != nil
    else { throw Failure("signals cannot be caught: no thread, or no pipe, is left", .cannotCreate) }
  }

  /// True when the daemon was told to stop.
  var isStopping: Bool { stopAsked.load(ordering: .sequentiallyConsistent) }

  /// Waits until the daemon is told to stop; for one thread.
  func waitForStop() { while !isStopping { stopAlarm.sleep() } }

  /// Has `body` run at each SIGHUP, on a thread of its own: files may hang, and the daemon can be stopped all the same.
  func onReload(_ body: @escaping @Sendable () -> Void) { reload.withLock { $0 = body } }

  private func run(_ caught: CaughtSignals) {
    acceptAll()
    var end: Int64?
    while true {
      let signals = caught.next(within: end.map(HostClock.milliseconds) ?? -1)
      if signals.isEmpty { endLate() }
      for signal in signals {
        guard signal != SIGHUP else {
          if let body = reload.withLock({ $0 }) { _ = HostThread(named: "lh-reload", body) }
          continue
        }
        if end != nil { endBy(signal) }
        end = HostClock.monotonic() + patience.nanoseconds
        log.logger.info("stopping", metadata: ["signal": signal == SIGTERM ? "SIGTERM" : "SIGINT"])
        stopAsked.store(true, ordering: .sequentiallyConsistent)
        stopAlarm.ring()
      }
    }
  }

  /// Others have them blocked; see ``HostThread/blockSignals()``.
  private func acceptAll() {
    var none = sigset_t()
    sigemptyset(&none)
    pthread_sigmask(SIG_SETMASK, &none, nil)
  }

  /// Something hangs: the daemon ends without it.
  ///
  /// Leases stay, as they do when it is killed.
  private func endLate() -> Never {
    log.logger.error("did not stop in good order within --drain-timeout, and ends anyway; leases stay")
    log.lines.flush(within: .milliseconds(200))
    _exit(ExitStatus.software.rawValue)
  }

  private func endBy(_ number: Int32) -> Never {
    signal(number, SIG_DFL)
    raise(number)
    _exit(128 + number)
  }
}
