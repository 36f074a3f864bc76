import FoundationEssentials
internal import Glibc
internal import Leasehold
#if DEBUG
  internal import LeaseholdDelays
#endif
internal import LeaseholdEtcd
internal import LeaseholdHTTP
internal import LeaseholdHost
internal import LeaseholdLocal
internal import Logging

/// Serves until it is told to stop.
///
/// - Returns: The status to end with.
func serve(_ given: ServeOptions, log lines: DaemonLog) throws -> ExitStatus {
  let log = lines.logger
  let environment = ProcessInfo.processInfo.environment
  let notify = Notify(environment: environment)
  let inherited = try InheritedSockets(environment: environment)
  // From here on SIGTERM and SIGINT end the daemon in good order, also while it stands by.
  let signals = try DaemonSignals(log: lines, drainTimeout: given.drainTimeout)
  try given.check(inherited)
  given.warnOfOpenDoors(inherited, log)
  var complete = given
  try complete.readSecrets()
  inherited.replaceListeners(of: &complete.server)
  complete.server.logLinesDropped = { lines.lines.droppedLines }
  let options = complete
  let service: LocalLockService?
  let engine: Engine
  do {
    if options.etcd.endpoints.isEmpty {
      let local = try startService(options, signals, notify: notify, log: log)
      (service, engine) = (local, slowed(local.engine(variables: SegmentStore(options.store))))
    } else {
      (service, engine) = (nil, try startCluster(options, log: log))
    }
  } catch LocalServiceError.canceled {
    return .ok
  } catch let error as LocalServiceError
    where error.missingSemaphores != nil && !notify.isAwaited && options.idleExit == .zero
  {
    return try serveUnavailable(
      error.missingSemaphores ?? "", options.server, until: signals, notify: notify, log: log)
  } catch {
    throw Failure("\(error)", status(of: error))
  }
  let server: Server
  do {
    server = try Server(engine, options: options.server, log: log)
    try server.start()
  } catch {
    engine.life.stop()
    let status: ExitStatus = error.isInUse ? .unavailable : error.isConfiguration ? .configuration : .cannotCreate
    throw Failure("\(error)", status)
  }
  signals.onReload { reloadTokens(of: server, log: log) }
  for socket in inherited.sockets {
    log.info("took a socket over", metadata: ["name": "\(socket.name)", "address": "\(socket.address)"])
  }
  tellReady(options.server, inherited, server, engine.life, notify: notify, log: log)
  keepIdleWatch(options.idleExit, over: engine.life, behind: server, until: signals, log: log)
  keepWatchdog(notify, over: engine.life, behind: server, until: signals)
  HostMemory.forgetStart()
  signals.waitForStop()
  notify.stopping()
  let isSucceeded = service?.isSucceeded ?? false
  shutDown(server, engine.life, within: isSucceeded ? .milliseconds(200) : options.drainTimeout, log: log)
  return isSucceeded ? .temporaryFailure : .ok
}

/// The engine, slow and unreliable where a live test asks for it; nothing of this is in a release build.
private func slowed(_ engine: Engine) -> Engine {
  #if DEBUG
    if let text = getenv("LHDELAYS"), let delays = Delays(String(cString: text)) { return engine.delayed(by: delays) }
  #endif
  return engine
}

/// Makes the engine over a cluster.
private func startCluster(_ options: ServeOptions, log: Logger) throws -> Engine {
  var configuration = options.etcd
  configuration.server = options.service.description
  configuration.onFault = { reason in
    if let reason {
      log.error("etcd cannot be used", metadata: ["reason": "\(reason)"])
    } else {
      log.notice("etcd can be used again")
    }
  }
  return try EtcdLockService(configuration).engine
}

/// Makes the service; waits for its turn, and for the recovery.
private func startService(
  _ options: ServeOptions, _ signals: DaemonSignals, notify: Notify, log: Logger
) throws -> LocalLockService {
  var service = options.service
  service.onDrift = { drift in
    log.warning(
      "the values of a semaphore set do not add up",
      metadata: [
        "key": "\(drift.key)", "kind": "\(drift.reason ?? "")", "units": .stringConvertible(drift.count),
        "found": "\(drift.text ?? "")",
      ])
  }
  service.onEnds = { log.tell($0) }
  service.onUnstopped = { pid, why in
    log.warning(
      "a process could not be stopped, so the slots of its leases stay taken",
      metadata: ["pid": .stringConvertible(pid), "why": "\(why)"])
  }
  service.onSucceeded = { pid in
    log.error(
      "another daemon has taken this one's guard, so this one ends; its leases are the other's now",
      metadata: ["pid": .stringConvertible(pid)])
    // As when it is told to stop.
    kill(getpid(), SIGTERM)
  }
  service.onFault = { log.tell($0) }
  if options.standby {
    log.info("standing by if another daemon serves")
    notify.status("standing by")
  }
  return try LocalLockService(service, standby: options.standby) { !signals.isStopping }
}

private func tellReady(
  _ options: ServerOptions, _ inherited: InheritedSockets, _ server: Server, _ service: any EngineLife,
  notify: Notify, log: Logger
) {
  let status = service.status()
  let host = inherited.hosts.first ?? options.host
  let unixPath = inherited.unixPath ?? options.unixPath
  let ledger = status.ledger ?? LedgerStatus()
  let recovery = ledger.recovery
  var metadata: Logger.Metadata = [
    "host": "\(host ?? "none")", "unix": "\(unixPath ?? "none")",
    "ipc_namespace": .stringConvertible(ledger.ipcNamespace), "leases": .stringConvertible(status.leases),
    "locks": .stringConvertible(status.locks), "recovery_ms": .stringConvertible(recovery.took.milliseconds),
    "units_given_back": .stringConvertible(recovery.unitsGivenBack),
  ]
  if let port = server.port { metadata["port"] = .stringConvertible(port) }
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
  log.info("serving", metadata: metadata)
  let port = server.port.map { "\($0)" } ?? "none"
  notify.ready(status: "serving on \(host.map { "\($0):\(port)" } ?? unixPath ?? "nothing")")
}

/// Waiters get 503, answers in flight are finished, leases stay.
private func shutDown(
  _ server: Server, _ life: any EngineLife, within limit: TimeSpan, log: Logger
) {
  // In this order: from the first on, callers that close the streams which the second ends take no lease along.
  life.drain()
  server.drain()
  let deadline = HostClock.monotonic() + limit.nanoseconds
  while server.activeExchanges > 0, HostClock.monotonic() < deadline {
    HostClock.sleep(nanoseconds: 2_000_000)
  }
  server.stop()
  let leases = life.status().leases
  life.stop()
  log.info("stopped", metadata: ["leases_kept": .stringConvertible(leases)])
}

private func status(of error: any Error) -> ExitStatus {
  switch error {
  case let error as EtcdEngineError:
    switch error {
    case .badEndpoint: .configuration
    case .unavailable: .unavailable
    case .denied: .noPermission
    case .noThread: .cannotCreate
    }
  case let error as LocalServiceError:
    switch error {
    case .alreadyServed, .stillRunning: .temporaryFailure
    case .notPermitted, .notOurs: .noPermission
    case .foreignControlSet, .foreignLedger, .notALedger, .segmentsAreDestroyed, .stateDirectory: .configuration
    case .unreadableSet, .kernel, .kernelLimit, .noThread: .cannotCreate
    case .canceled: .ok
    }
  default: .software
  }
}
