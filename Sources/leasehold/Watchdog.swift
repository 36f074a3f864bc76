internal import Leasehold
internal import LeaseholdHTTP
internal import LeaseholdHost

/// Tells the service manager's watchdog that the daemon is well, at the interval it asks for, until it is told to stop.
///
/// Nothing is said unless the service can do its work: its listeners answer, its ledger can be had, its clock turns.
/// So a daemon that hangs is killed and started again, which costs no lease.
///
/// It has a thread of its own: with the ledger's mutex in wrong hands a look at it never returns, and nothing is said.
func keepWatchdog(
  _ notify: Notify, over service: any EngineLife, behind server: Server, until signals: DaemonSignals
) {
  guard let interval = notify.watchdogInterval else { return }
  _ = HostThread(named: "lh-watchdog") {
    while !signals.isStopping {
      if let status = vitalSigns(of: service, server, within: max(interval, .seconds(5))) {
        notify.watchdog(status: status)
      }
      HostClock.sleep(nanoseconds: interval.nanoseconds)
    }
  }
}

/// One line about the service; `nil` when its clock has not turned for so long, or a listener does not answer.
private func vitalSigns(of service: any EngineLife, _ server: Server, within span: TimeSpan) -> String? {
  guard service.isAlive(within: span), server.answers(within: span) else { return nil }
  let status = service.status()
  return "serving: \(status.leases) leases, \(status.locks) locks, \(status.waiters) waiters"
}
