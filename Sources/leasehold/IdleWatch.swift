internal import Glibc
internal import Leasehold
internal import LeaseholdHTTP
internal import LeaseholdHost
internal import Logging

/// Ends the daemon, as SIGTERM does, once no caller has, wants or asks for anything for so long; never where that is
/// zero.
func keepIdleWatch(
  _ limit: TimeSpan, over service: any EngineLife, behind server: Server, until signals: DaemonSignals, log: Logger
) {
  guard limit > .zero else { return }
  let pause = min(max(limit.nanoseconds / 8, 10_000_000), 5_000_000_000)
  _ = HostThread(named: "lh-idle") {
    var (answered, since) = (server.answeredRequests, HostClock.monotonic())
    while !signals.isStopping {
      HostClock.sleep(nanoseconds: pause)
      let now = server.answeredRequests
      if now != answered || server.connections > 0 || service.status().isNeeded {
        (answered, since) = (now, HostClock.monotonic())
      } else if HostClock.monotonic() - since >= limit.nanoseconds {
        log.info("nobody needs this daemon: it ends", metadata: ["idle_exit": "\(limit)"])
        kill(getpid(), SIGTERM)
        return
      }
    }
  }
}

extension ServiceStatus {
  /// True when a caller has something, or waits for it.
  fileprivate var isNeeded: Bool { leases + cooling + suspects + waiters + (ledger?.operationWaiters ?? 0) > 0 }
}
