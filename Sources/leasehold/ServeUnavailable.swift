internal import LeaseholdHTTP
internal import Logging

/// Answers every request with 503 until told to stop, so that callers learn why.
func serveUnavailable(
  _ errno: String, _ options: ServerOptions, until signals: DaemonSignals, notify: Notify, log: Logger
) throws -> ExitStatus {
  log.error(
    "there are no System V semaphores here: everything is answered 503 sysv-unavailable",
    metadata: ["errno": "\(errno)"])
  let server: UnavailableServer
  do {
    server = try UnavailableServer(errno: errno, options: options)
    try server.start()
  } catch {
    throw Failure("\(error)", error.isInUse ? .unavailable : .cannotCreate)
  }
  notify.status("no System V semaphores here (\(errno))")
  signals.waitForStop()
  server.stop()
  return .unavailable
}
