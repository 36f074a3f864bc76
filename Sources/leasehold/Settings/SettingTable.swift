private let hour = Duration.seconds(3600)
private let month = hour * 24 * 30

// Listening.
extension Setting {
  static let host = Setting(
    "host", .listening, .text("address"), default: "127.0.0.1",
    "Address of the TCP listener, or \"none\" for no such listener (with --unix); one that is not loopback needs "
      + "--token-file, and --tls-cert or --insecure-plain-http")
  static let port = Setting(
    "port", .listening, .integer(0...65535), default: "31818", "TCP port; 0 takes any free one")
  static let unix = Setting(
    "unix", .listening, .path(bytesMax: 107), default: "", "Listen on this Unix domain socket, too")
  static let unixMode = Setting(
    "unix-mode", .listening, .octal(0...0o777), default: "0660", "Permissions of the Unix domain socket")
  static let threads = Setting(
    "threads", .listening, .integer(0...64), default: "0",
    "Threads that serve connections; 0 is one below 4 processors, else half of them and at most 4")
  static let maxConnections = Setting(
    "max-connections", .listening, .integer(1...1_000_000), default: "20000", "Connections open at once")
  static let connectionMemory = Setting(
    "connection-memory", .listening, .bytes(4 << 10...1 << 20), default: "16KiB", "Memory of one connection")
  static let idleTimeout = Setting(
    "idle-timeout", .listening, .duration(.seconds(1)...hour * 24), default: "60s",
    "Close a connection that is silent for so long and waits for nothing")
  static let firstRequestTimeout = Setting(
    "first-request-timeout", .listening, .duration(.seconds(1)...hour), default: "10s",
    "Close a connection that has not sent the head of its first request by then")
  static let drainTimeout = Setting(
    "drain-timeout", .listening, .duration(.zero ... .seconds(600)), default: "5s",
    "Time for open requests to end when the daemon stops")
  static let maxBody = Setting(
    "max-body", .listening, .bytes(1 << 10...1 << 20), default: "64KiB", "Largest request body")
  static let allowHost = Setting(
    "allow-host", .listening, .list("name"), default: "",
    "Accept this name in the Host header besides the loopback names; may be repeated")
}

// Who may.
extension Setting {
  static let tokenFile = Setting(
    "token-file", .access, .path(bytesMax: 4000), default: "",
    "File of bearer tokens, read again on SIGHUP; without one everybody who reaches the listener may do everything")
  static let unixNeedsToken = Setting(
    "unix-needs-token", .access, .toggle, default: "false",
    "Ask for a token on the Unix socket too, whose file has an owner and a mode of its own")
  static let tlsCert = Setting(
    "tls-cert", .access, .path(bytesMax: 4000), default: "",
    "Serve HTTPS over TCP with this certificate and those that vouch for it, in PEM")
  static let tlsKey = Setting(
    "tls-key", .access, .path(bytesMax: 4000), default: "", "The certificate's private key, in PEM")
  static let insecurePlainHTTP = Setting(
    "insecure-plain-http", .access, .toggle, default: "false",
    "Let tokens travel over TCP without TLS, where the network is trusted or something before the daemon ends TLS")
  static let maxLeasesPerCaller = Setting(
    "max-leases-per-caller", .access, .integer(0...16_000_000), default: "0",
    "Leases of one caller at once: a token, else a user of the Unix socket, else an address; \(halfUnlessSet)")
  static let maxWaitersPerCaller = Setting(
    "max-waiters-per-caller", .access, .integer(0...1_000_000), default: "0",
    "Requests of one caller that wait at once; \(halfUnlessSet)")
  static let maxConnectionsPerCaller = Setting(
    "max-connections-per-caller", .access, .integer(0...1_000_000), default: "0",
    "Connections of one caller at once, all listeners together; tokens do not count here; \(halfUnlessSet)")
  static let maxEventSubscribersPerCaller = Setting(
    "max-event-subscribers-per-caller", .access, .integer(0...100_000), default: "0",
    "Open answers of /events of one caller; \(halfUnlessSet)")
  static let operationWaitersPerCaller = Setting(
    "operation-waiters-per-caller", .access, .integer(0...1024), default: "0",
    "Raw semaphore operations of one caller that wait at once; \(halfUnlessSet)")
  static let maxLocksPerCaller = Setting(
    "max-locks-per-caller", .access, .integer(0...16_000_000), default: "0",
    "Locks that one caller made and that are known still, used or not; 0 is five eighths of --max-leases")
  static let maxSegmentBytesPerCaller = Setting(
    "max-segment-bytes-per-caller", .access, .bytes(0...1 << 46), default: "0",
    "Bytes of segments that one caller made; 0 is a quarter of the memory")

  private static let halfUnlessSet = "0 is half of what there is"
}

// Leases.
extension Setting {
  static let ttlDefault = Setting(
    "ttl-default", .leases, .duration(.milliseconds(1)...month), default: "30s",
    "Time to live of a lease that asks for none")
  static let ttlMin = Setting(
    "ttl-min", .leases, .duration(.milliseconds(1)...month), default: "100ms", "Shortest time to live")
  static let ttlMax = Setting(
    "ttl-max", .leases, .duration(.milliseconds(1)...month), default: "24h", "Longest time to live")
  static let maxWait = Setting(
    "max-wait", .leases, .duration(.zero...hour * 24), default: "1h", "Longest wait of an acquire")
  static let heartbeat = Setting(
    "heartbeat", .leases, .duration(.milliseconds(100) ... .seconds(60)), default: "5s",
    "Time between two lines of a held connection")
  static let recoveryGrace = Setting(
    "recovery-grace", .leases, .duration(.zero ... .seconds(600)), default: "2s",
    "Time that leases found at the start get at least, once, so that their holders can renew them")
}

// Limits.
extension Setting {
  static let maxLeases = Setting(
    "max-leases", .limits, .integer(16...16_000_000), default: "1000000", "Leases alive at once")
  static let maxWaiters = Setting(
    "max-waiters", .limits, .integer(1...1_000_000), default: "100000", "Requests that wait at once")
  static let maxWaitersPerLock = Setting(
    "max-waiters-per-lock", .limits, .integer(1...1_000_000), default: "20000",
    "Requests that wait for one lock at once")
  static let operationWaiters = Setting(
    "operation-waiters", .limits, .integer(1...1024), default: "64",
    "Raw semaphore operations that wait at once, each on a thread of its own")
  static let maxProcesses = Setting(
    "max-processes", .limits, .integer(0...1_000_000), default: "10000",
    "Processes that leases are bound to at once (bind=pid:N); each takes a file descriptor")
  static let eventsKept = Setting(
    "events-kept", .limits, .integer(16...16_000_000), default: "16384",
    "Events kept for those who follow /events; rounded up to a power of two")
  static let maxEventSubscribers = Setting(
    "max-event-subscribers", .limits, .integer(1...100_000), default: "512", "Open answers of /events at once")
  static let tombstones = Setting(
    "tombstones", .limits, .integer(0...1_000_000), default: "10000",
    "Ended leases that are remembered, to tell a late holder why its lease is over")
  static let idleLocks = Setting(
    "idle-locks", .limits, .duration(.seconds(1)...hour * 24), default: "60s",
    "How long an unused lock is kept")
}

// Shared memory.
extension Setting {
  static let shmKey = Setting(
    "shm-key", .memory, .ipcKey, default: "0x4c534800",
    "System V key of the segment whose variables /shm serves when a request names none")
  static let shmSize = Setting(
    "shm-size", .memory, .bytes(40...1 << 30), default: "1MiB", "Size of that segment where it has to be made")
  static let shmObjects = Setting(
    "shm-objects", .memory, .choice(["refuse", "allow"]), default: "refuse",
    "Whether serialized objects may be stored, which PHP makes when it reads them")
  static let maxValue = Setting(
    "max-value", .memory, .bytes(1 << 10...64 << 20), default: "1MiB",
    "Largest value of a variable, and most raw bytes of a segment, in one request")
}

// Kernel and state, logs.
extension Setting {
  static let pumps = Setting(
    "pumps", .kernel, .integer(1...1024), default: "64", "Threads that wait in the kernel for native holders")
  static let peerPidfd = Setting(
    "peer-pidfd", .kernel, .choice(["auto", "never"]), default: "auto",
    "Whether to ask the kernel for a pidfd of who connects (Linux 6.5), or for the number alone as before")
  static let stateDir = Setting(
    "state-dir", .kernel, .path(bytesMax: 4000), default: "",
    "Directory that keeps the highest fence across reboots")
  static let pathRoots = Setting(
    "path-roots", .kernel, .list("folder"), default: "/tmp,/var/tmp,/run/lock",
    "Folders below which the files of path: locks must lie, links followed; may be repeated")
  static let controlKey = Setting(
    "control-key", .kernel, .ipcKey, default: "0x4c480001", "System V key of the control set; for tests",
    hidden: true)
  static let standby = Setting(
    "standby", .kernel, .toggle, default: "false", "Wait for another daemon to end instead of giving up")
  static let logLevel = Setting(
    "log-level", .logs,
    .choice(["trace", "debug", "info", "notice", "warning", "error", "critical"]), default: "info",
    "Least level that is logged")
  static let logFormat = Setting(
    "log-format", .logs, .choice(["plain", "json"]), default: "plain", "Form of a log line")
  static let slowWait = Setting(
    "slow-wait", .logs, .duration(.zero ... .seconds(86_400)), default: "1s",
    "Requests that waited for a lock at least this long get a log line at info, others at debug")

  /// Every setting, in the order of the documentation.
  static let all: [Setting] = [
    .host, .port, .unix, .unixMode, .threads, .maxConnections, .connectionMemory, .idleTimeout, .firstRequestTimeout,
    .drainTimeout, .maxBody, .allowHost,
    .tokenFile, .unixNeedsToken, .tlsCert, .tlsKey, .insecurePlainHTTP, .maxLeasesPerCaller, .maxWaitersPerCaller,
    .maxConnectionsPerCaller, .maxEventSubscribersPerCaller, .operationWaitersPerCaller, .maxLocksPerCaller,
    .maxSegmentBytesPerCaller,
    .ttlDefault, .ttlMin, .ttlMax, .maxWait, .heartbeat, .recoveryGrace,
    .maxLeases, .maxWaiters, .maxWaitersPerLock, .operationWaiters, .maxProcesses, .eventsKept, .maxEventSubscribers,
    .tombstones, .idleLocks,
    .shmKey, .shmSize, .shmObjects, .maxValue,
    .pumps, .peerPidfd, .stateDir, .pathRoots, .controlKey, .standby,
    .logLevel, .logFormat, .slowWait,
  ]

  static let named: [String: Setting] = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })
}
