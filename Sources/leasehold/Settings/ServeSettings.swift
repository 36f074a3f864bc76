internal import Glibc
internal import Leasehold

/// Everything `leasehold serve` was told, read and checked.
struct ServeSettings: Sendable, Equatable {
  /// A loopback address, or with tokens any; `nil` without a TCP listener.
  let host: String?
  /// 0 takes any free port.
  let port: UInt16
  /// `nil` without a Unix domain socket.
  let unixPath: String?
  let unixMode: UInt32
  /// As it was set; 0 is automatic, see ``threadCount``.
  let threads: Int
  let connectionsMax: Int
  let connectionMemoryBytes: Int
  let idleTimeout: Duration
  let firstRequestTimeout: Duration
  let drainTimeout: Duration
  let bodyBytesMax: Int
  /// Names that the Host header may have besides the loopback names, in lower case.
  let allowedHosts: [String]

  /// `nil` where no tokens are needed.
  let tokenFile: String?
  let unixNeedsToken: Bool
  /// Both or neither.
  let tlsCertificatePath: String?
  let tlsKeyPath: String?
  let allowsPlainHTTP: Bool
  /// What one caller may have; 0 is its share.
  let perCaller: CallerMaxima

  let ttlDefault: Duration
  let ttlMin: Duration
  let ttlMax: Duration
  let waitMax: Duration
  let heartbeat: Duration
  let recoveryGrace: Duration

  let leasesMax: Int
  let waitersMax: Int
  let waitersPerLockMax: Int
  let processesMax: Int
  let eventsKept: Int
  let eventSubscribersMax: Int
  let tombstonesMax: Int
  /// How long an unused own lock is kept.
  let idleLocks: Duration

  /// The `key_t` of the segment that requests mean when they name none.
  let shmKey: Int32
  let shmBytes: Int
  let allowsObjects: Bool
  let valueBytesMax: Int

  /// Threads that wait in the kernel.
  let pumps: Int
  let operationWaiters: Int
  /// Whether the kernel is asked for pidfds of peers.
  let usesPeerPidfd: Bool
  /// `nil` when the highest fence is kept in the kernel only.
  let stateDirectory: String?
  /// Folders below which the files of `path:` locks must lie.
  let pathRoots: [String]
  /// The `key_t` of the control set.
  let controlKey: Int32
  let standby: Bool

  let logLevel: String
  let logFormat: LogFormat
  /// Waits of at least this long are worth a line at info.
  let slowWait: Duration

  /// Form of a log line.
  enum LogFormat: String, Sendable {
    case plain, json
  }

  /// Takes settings that are good by themselves and checks them against each other.
  init(_ resolved: ResolvedSettings) throws(SettingsError) {
    try resolved.check()
    host = ResolvedSettings.isNoHost(resolved.text(.host)) ? nil : resolved.text(.host)
    port = UInt16(truncatingIfNeeded: resolved.integer(.port))
    unixPath = resolved.path(.unix)
    unixMode = UInt32(truncatingIfNeeded: resolved.integer(.unixMode))
    threads = resolved.integer(.threads)
    connectionsMax = resolved.integer(.maxConnections)
    connectionMemoryBytes = resolved.integer(.connectionMemory)
    idleTimeout = resolved.duration(.idleTimeout)
    firstRequestTimeout = resolved.duration(.firstRequestTimeout)
    drainTimeout = resolved.duration(.drainTimeout)
    bodyBytesMax = resolved.integer(.maxBody)
    allowedHosts = resolved.list(.allowHost).map { $0.lowercased() }
    tokenFile = resolved.path(.tokenFile)
    unixNeedsToken = resolved.toggle(.unixNeedsToken)
    tlsCertificatePath = resolved.path(.tlsCert)
    tlsKeyPath = resolved.path(.tlsKey)
    allowsPlainHTTP = resolved.toggle(.insecurePlainHTTP)
    var perCaller = CallerMaxima(0)
    for resource in CallerResource.allCases {
      if let setting = Setting.named[resource.setting] { perCaller[resource] = resolved.integer(setting) }
    }
    self.perCaller = perCaller
    ttlDefault = resolved.duration(.ttlDefault)
    ttlMin = resolved.duration(.ttlMin)
    ttlMax = resolved.duration(.ttlMax)
    waitMax = resolved.duration(.maxWait)
    heartbeat = resolved.duration(.heartbeat)
    recoveryGrace = resolved.duration(.recoveryGrace)
    leasesMax = resolved.integer(.maxLeases)
    waitersMax = resolved.integer(.maxWaiters)
    waitersPerLockMax = resolved.integer(.maxWaitersPerLock)
    processesMax = resolved.integer(.maxProcesses)
    eventsKept = resolved.integer(.eventsKept)
    eventSubscribersMax = resolved.integer(.maxEventSubscribers)
    tombstonesMax = resolved.integer(.tombstones)
    idleLocks = resolved.duration(.idleLocks)
    shmKey = Int32(bitPattern: UInt32(truncatingIfNeeded: resolved.integer(.shmKey)))
    shmBytes = resolved.integer(.shmSize)
    allowsObjects = resolved.text(.shmObjects) == "allow"
    valueBytesMax = resolved.integer(.maxValue)
    pumps = resolved.integer(.pumps)
    usesPeerPidfd = resolved.text(.peerPidfd) == "auto"
    operationWaiters = resolved.integer(.operationWaiters)
    stateDirectory = resolved.path(.stateDir)
    pathRoots = resolved.list(.pathRoots)
    controlKey = Int32(bitPattern: UInt32(truncatingIfNeeded: resolved.integer(.controlKey)))
    standby = resolved.toggle(.standby)
    logLevel = resolved.text(.logLevel)
    logFormat = LogFormat(rawValue: resolved.text(.logFormat)) ?? .plain
    slowWait = resolved.duration(.slowWait)
  }
}

extension ServeSettings {
  /// The threads that serve connections, on this machine.
  var threadCount: Int { threadCount(processors: sysconf(Int32(_SC_NPROCESSORS_ONLN))) }

  /// One below 4 processors, else half of them and at most 4; unless a number is set.
  func threadCount(processors: Int) -> Int {
    if threads > 0 { return threads }
    return processors < 4 ? 1 : min(4, processors / 2)
  }
}
