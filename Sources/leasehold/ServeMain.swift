import Dispatch
import FoundationEssentials
internal import Glibc
internal import Leasehold
internal import LeaseholdHTTP
internal import LeaseholdLocal
internal import Logging

/// Serves until it is told to stop.
///
/// - Returns: The status to end with.
func serve(_ given: ServeOptions, log lines: DaemonLog) async throws -> ExitStatus {
  let log = lines.logger
  let environment = ProcessInfo.processInfo.environment
  let notify = Notify(environment: environment)
  let inherited = try InheritedSockets(environment: environment)
  // From here on SIGTERM and SIGINT end the daemon in good order, also while it stands by.
  let signals = try DaemonSignals(log: lines, drainTimeout: given.drainTimeout)
  let stop = Task { for await _ in signals.stops {} }
  try given.check(inherited)
  given.warnOfOpenDoors(inherited, log)
  var complete = given
  try complete.readSecrets()
  inherited.replaceListeners(of: &complete.server)
  complete.server.logLinesDropped = { lines.lines.droppedLines }
  let options = complete
  let service: LocalLockService
  do {
    service = try await startService(options, signals, notify: notify, log: log)
  } catch LocalServiceError.canceled {
    return .ok
  } catch let error as LocalServiceError where error.missingSemaphores != nil && !notify.isAwaited {
    return try await serveUnavailable(
      error.missingSemaphores ?? "", options.server, until: stop, notify: notify, log: log)
  } catch {
    throw SettingsError("\(error)", status: status(of: error))
  }
  let server: Server
  do {
    server = try Server(service, variables: SegmentStore(options.store), options: options.server, log: log)
    try server.start()
  } catch {
    service.stop()
    let status: ExitStatus = error.isInUse ? .unavailable : error.isConfiguration ? .configuration : .cannotCreate
    throw SettingsError("\(error)", status: status)
  }
  let reloading = reloadTokens(of: server, at: signals.reloads, log: log)
  defer { reloading.cancel() }
  for socket in inherited.sockets {
    log.info("took a socket over", metadata: ["name": "\(socket.name)", "address": "\(socket.address)"])
  }
  tellReady(options.server, inherited, server, service, notify: notify, log: log)
  await keepWatchdog(notify, over: service, behind: server, until: stop)
  notify.stopping()
  let isSucceeded = service.isSucceeded
  await shutDown(server, service, within: isSucceeded ? .milliseconds(200) : options.drainTimeout, log: log)
  return isSucceeded ? .temporaryFailure : .ok
}

/// Makes the service on a thread of its own: recovery and standing by block.
private func startService(
  _ options: ServeOptions, _ signals: DaemonSignals, notify: Notify, log: Logger
) async throws -> LocalLockService {
  var service = options.service
  service.onDrift = { drift in
    log.warning(
      "the values of a semaphore set do not add up",
      metadata: [
        "key": "\(drift.key)", "kind": "\(drift.kind.name)", "units": .stringConvertible(drift.units),
        "found": "\(drift.text)",
      ])
  }
  service.onEnds = { log.tell($0) }
  service.onSucceeded = { pid in
    log.error(
      "another daemon has taken this one's guard, so this one ends; its leases are the other's now",
      metadata: ["pid": .stringConvertible(pid)])
    // As when it is told to stop.
    kill(getpid(), SIGTERM)
  }
  service.onFault = { log.tell($0) }
  let ready = service
  if options.standby {
    log.info("standing by if another daemon serves")
    notify.status("standing by")
  }
  return try await withCheckedThrowingContinuation { continuation in
    DispatchQueue.global().async {
      continuation.resume(
        with: Result {
          try LocalLockService(ready, standby: options.standby) { !signals.isStopping }
        })
    }
  }
}

private func tellReady(
  _ options: ServerOptions, _ inherited: InheritedSockets, _ server: Server, _ service: LocalLockService,
  notify: Notify, log: Logger
) {
  let status = service.status()
  let host = inherited.hosts.first ?? options.host
  let unixPath = inherited.unixPath ?? options.unixPath
  let recovery = status.recovery
  var metadata: Logger.Metadata = [
    "host": "\(host ?? "none")", "unix": "\(unixPath ?? "none")",
    "ipc_namespace": .stringConvertible(status.ipcNamespace), "leases": .stringConvertible(status.leases),
    "locks": .stringConvertible(status.locks), "recovery_ms": .stringConvertible(recovery.took.milliseconds),
    "units_given_back": .stringConvertible(recovery.unitsGivenBack),
  ]
  if let port = server.port { metadata["port"] = .stringConvertible(port) }
  log.info("serving", metadata: metadata)
  if recovery.damagedRecords > 0 || recovery.leasesLost > 0 {
    log.warning(
      "the last daemon's ledger was not whole",
      metadata: [
        "damaged_records": .stringConvertible(recovery.damagedRecords),
        "leases_lost": .stringConvertible(recovery.leasesLost),
      ])
  }
  if recovery.suspects > 0 || recovery.unsureReleases > 0 {
    log.warning(
      "the last daemon was killed while it took slots of sets that other programs made, or gave them back",
      metadata: [
        "suspects": .stringConvertible(recovery.suspects),
        "unsure_releases": .stringConvertible(recovery.unsureReleases),
      ])
  }
  let port = server.port.map { "\($0)" } ?? "none"
  notify.ready(status: "serving on \(host.map { "\($0):\(port)" } ?? unixPath ?? "nothing")")
}

/// Waiters get 503, answers in flight are finished, leases stay.
private func shutDown(
  _ server: Server, _ service: LocalLockService, within limit: TimeSpan, log: Logger
) async {
  server.drain()
  service.drain()
  let clock = ContinuousClock()
  let deadline = clock.now + .nanoseconds(limit.nanoseconds)
  while server.activeExchanges > 0, clock.now < deadline { try? await Task.sleep(for: .milliseconds(2)) }
  server.stop()
  let leases = service.status().leases
  service.stop()
  log.info("stopped", metadata: ["leases_kept": .stringConvertible(leases)])
}

private func status(of error: any Error) -> ExitStatus {
  guard let error = error as? LocalServiceError else { return .software }
  return switch error {
  case .alreadyServed, .stillRunning: .temporaryFailure
  case .notPermitted, .notOurs: .noPermission
  case .foreignControlSet, .foreignLedger, .notALedger, .segmentsAreDestroyed: .configuration
  case .stateDirectory: .configuration
  case .unreadableSet, .kernel, .kernelLimit, .noThread: .cannotCreate
  case .canceled: .ok
  }
}
