import Dispatch
internal import Leasehold
internal import LeaseholdHTTP
internal import LeaseholdLocal

/// Tells the service manager's watchdog that the daemon is well, at the interval it asks for, until it is told to stop.
///
/// Nothing is said unless the service can do its work: its listeners answer, its ledger can be had, its clock turns.
/// So a daemon that hangs is killed and started again, which costs no lease.
func keepWatchdog(
  _ notify: Notify, over service: LocalLockService, behind server: Server, until stop: Task<Void, Never>
) async {
  let beats = notify.watchdogInterval.map { interval in
    Task(priority: .medium) {
      while !Task.isCancelled {
        if let status = await vitalSigns(of: service, server, within: max(interval, .seconds(5))) {
          notify.watchdog(status: status)
        }
        try? await Task.sleep(for: .nanoseconds(interval.nanoseconds))
      }
    }
  }
  await stop.value
  beats?.cancel()
}

/// One line about the service; `nil` when its clock has not turned for so long, or a listener does not answer.
///
/// Looked up on a thread of its own: with the ledger's mutex in wrong hands it never returns.
private func vitalSigns(
  of service: LocalLockService, _ server: Server, within span: TimeSpan
) async -> String? {
  await withCheckedContinuation { continuation in
    DispatchQueue.global().async {
      guard service.isAlive(within: span), server.answers(within: span) else {
        return continuation.resume(returning: nil)
      }
      let status = service.status()
      continuation.resume(
        returning: "serving: \(status.leases) leases, \(status.locks) locks, \(status.waiters) waiters")
    }
  }
}
