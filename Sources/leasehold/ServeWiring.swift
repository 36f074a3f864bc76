internal import Glibc
internal import Leasehold
internal import LeaseholdHTTP
internal import LeaseholdLocal

extension ServeSettings {
  /// The settings as the lock service wants them.
  var limits: Limits {
    var limits = Limits()
    limits.ttlDefault = TimeSpan(ttlDefault)
    limits.ttlMinimum = TimeSpan(ttlMin)
    limits.ttlMaximum = TimeSpan(ttlMax)
    limits.waitMaximum = TimeSpan(waitMax)
    limits.leases = leasesMax
    limits.waiters = waitersMax
    limits.waitersPerLock = waitersPerLockMax
    limits.events = eventsKept
    limits.eventSubscribers = eventSubscribersMax
    limits.perCaller = perCaller
    limits.tombstones = tombstonesMax
    limits.idleLocks = TimeSpan(idleLocks)
    limits.recoveryGrace = TimeSpan(recoveryGrace)
    limits.pumps = pumps
    limits.operationWaiters = operationWaiters
    limits.processes = processesMax
    return limits
  }

  /// The settings of the lock service of this host.
  var serviceOptions: LocalServiceOptions {
    var options = LocalServiceOptions()
    options.limits = limits
    options.controlKey = controlKey
    options.stateDirectory = stateDirectory
    options.pathRoots = pathRoots
    options.usesPeerHandle = usesPeerPidfd
    let scheme = tlsKeyPath == nil ? "http" : "https"
    options.description = [host.map { "\(scheme)://\($0):\(port)" }, unixPath].compactMap(\.self)
      .joined(separator: " and ")
    return options
  }

  /// The settings of the segments of this host.
  var storeOptions: SegmentStoreOptions {
    var options = SegmentStoreOptions()
    options.defaultKey = shmKey
    options.defaultBytes = shmBytes
    options.controlKey = controlKey
    options.readBytes = valueBytesMax
    return options
  }

  /// The settings of the HTTP server.
  var serverOptions: ServerOptions {
    var options = ServerOptions()
    options.host = host
    options.port = port
    options.unixPath = unixPath
    options.unixMode = unixMode
    options.threads = threadCount
    options.connections = connectionsMax
    options.connectionMemoryBytes = connectionMemoryBytes
    options.idleTimeout = TimeSpan(idleTimeout)
    options.firstRequestTimeout = TimeSpan(firstRequestTimeout)
    options.bodyBytes = bodyBytesMax
    options.valueBytes = valueBytesMax
    options.allowsObjects = allowsObjects
    options.allowedHosts = allowedHosts
    options.tokenFile = tokenFile
    options.unixNeedsToken = unixNeedsToken
    options.heartbeat = TimeSpan(heartbeat)
    options.slowWait = TimeSpan(slowWait)
    options.limits = limits
    options.versions = ServerOptions.Versions(leasehold: leaseholdVersion, swift: compilerVersion)
    return options
  }
}

#if compiler(>=6.4)
  private let compilerVersion = "6.4 or later"
#elseif compiler(>=6.3)
  private let compilerVersion = "6.3"
#else
  private let compilerVersion = "6.2"
#endif

extension TimeSpan {
  /// A `Duration`, cut to nanoseconds and saturating.
  init(_ duration: Duration) {
    let (seconds, attoseconds) = duration.components
    self = .seconds(seconds)
    nanoseconds = nanoseconds.addingReportingOverflow(attoseconds / 1_000_000_000).partialValue
  }
}
