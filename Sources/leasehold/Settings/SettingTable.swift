internal import Leasehold
internal import LeaseholdEtcd
internal import LeaseholdHTTP
internal import LeaseholdLocal

private let hour = TimeSpan.seconds(3600)
private let day = TimeSpan.seconds(86_400)
private let month = TimeSpan.seconds(30 * 86_400)

extension Setting {
  /// Every setting, in the order of the documentation.
  static let all = SettingSection.all.flatMap(\.settings)

  static let named: [String: Setting] = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })
}

/// Settings that stand together in the help and in the documentation.
struct SettingSection: Sendable {
  let title: String
  let settings: [Setting]

  static let all = [
    Self(title: "Listening", settings: listening), Self(title: "Who may", settings: access),
    Self(title: "Leases", settings: leases), Self(title: "Limits", settings: limits),
    Self(title: "Shared memory", settings: memory), Self(title: "More than one host", settings: cluster),
    Self(title: "Kernel and state", settings: kernel), Self(title: "Logs", settings: logs),
  ]

  private static let listening: [Setting] = [
    Setting(
      "host", .text("address"), default: "127.0.0.1",
      "Address of the TCP listener, or \"none\" for none (with --unix); an address that is not loopback needs "
        + "--token-file, and --tls-cert or --insecure-plain-http", \.words.host),
    Setting(
      "port", .integer(0...65535), default: "31818", "TCP port; 0 takes any free one", \.server.port),
    Setting(
      "unix", .path(bytesMax: 107), default: "",
      "Listen on this Unix domain socket, too; \"own\" is that of your own service, where commands look",
      \.server.unixPath),
    Setting(
      "unix-mode", .octal(0...0o777), default: "0660", "Permissions of the Unix domain socket", \.server.unixMode),
    Setting(
      "threads", .integer(0...64), default: "0",
      "Threads that serve connections; 0 is one below 4 processors, else half of them and at most 4", \.server.threads),
    Setting(
      "max-connections", .integer(1...1_000_000), default: "20000", "Connections open at once", \.server.connections),
    Setting(
      "connection-memory", .bytes(4 << 10...1 << 20), default: "16KiB", "Memory of one connection",
      \.server.connectionMemoryBytes),
    Setting(
      "idle-timeout", .duration(.seconds(1)...day), default: "1m",
      "Close a connection that is silent for this long and waits for nothing", \.server.idleTimeout),
    Setting(
      "first-request-timeout", .duration(.seconds(1)...hour), default: "10s",
      "Close a connection that has not sent the head of its first request by then", \.server.firstRequestTimeout),
    Setting(
      "drain-timeout", .duration(.zero ... .seconds(600)), default: "5s",
      "Time for open requests to end when the daemon stops", \.drainTimeout),
    Setting(
      "idle-exit", .duration(.zero...day), default: "0s",
      "End when nobody has held a lease, waited, connected or asked for this long; 0 is never", \.idleExit),
    Setting("max-body", .bytes(1 << 10...1 << 20), default: "64KiB", "Largest request body", \.server.bodyBytes),
    Setting(
      "allow-host", .list("name"), default: "",
      "Accept this name in the Host header besides the loopback names; may be repeated", \.server.allowedHosts),
  ]

  private static let access: [Setting] = [
    Setting(
      "token-file", .path(bytesMax: 4000), default: "",
      "File of bearer tokens, read again on SIGHUP; without one, every caller may do everything",
      \.server.tokenFile),
    Setting(
      "unix-needs-token", .toggle, default: "false",
      "Ask for a token on the Unix socket too, whose file has an owner and a mode of its own", \.server.unixNeedsToken),
    Setting(
      "tls-cert", .path(bytesMax: 4000), default: "",
      "Serve HTTPS over TCP with this certificate and those that vouch for it, in PEM", \.tlsCertificatePath),
    Setting("tls-key", .path(bytesMax: 4000), default: "", "The certificate's private key, in PEM", \.tlsKeyPath),
    Setting(
      "insecure-plain-http", .toggle, default: "false",
      "Let tokens travel over TCP without TLS, if you trust the network or a proxy before the daemon ends TLS",
      \.allowsPlainHTTP),
    Setting(
      "max-leases-per-caller", .integer(0...16_000_000), default: "0",
      "Leases of one caller at once: a token, else a user of the Unix socket, else an address; \(shareUnlessSet)",
      \.limits.perCaller[.leases]),
    Setting(
      "max-waiters-per-caller", .integer(0...1_000_000), default: "0",
      "Requests of one caller that wait at once; \(shareUnlessSet)", \.limits.perCaller[.waiters]),
    Setting(
      "max-connections-per-caller", .integer(0...1_000_000), default: "0",
      "Connections of one caller at once; tokens do not count here; \(shareUnlessSet)",
      \.limits.perCaller[.connections]),
    Setting(
      "max-event-subscribers-per-caller", .integer(0...100_000), default: "0",
      "Open answers of /events of one caller; \(shareUnlessSet)", \.limits.perCaller[.streams]),
    Setting(
      "operation-waiters-per-caller", .integer(0...1024), default: "0",
      "Raw semaphore operations of one caller that wait at once; \(shareUnlessSet)", \.limits.perCaller[.operations]),
    Setting(
      "max-locks-per-caller", .integer(0...16_000_000), default: "0",
      "Known locks that one caller made, used or not; \(shareUnlessSet)",
      \.limits.perCaller[.locks]),
    Setting(
      "max-segment-bytes-per-caller", .bytes(0...1 << 46), default: "0",
      "Bytes of segments that one caller made; 0 is half of what others leave of half of the memory",
      \.limits.perCaller[.segmentBytes]),
  ]

  private static let leases: [Setting] = [
    Setting(
      "ttl-default", .duration(.milliseconds(1)...month), default: "30s",
      "Time to live of a lease that asks for none", \.limits.ttlDefault),
    Setting("ttl-min", .duration(.milliseconds(1)...month), default: "100ms", "Shortest time to live", \.limits.ttlMin),
    Setting("ttl-max", .duration(.milliseconds(1)...month), default: "24h", "Longest time to live", \.limits.ttlMax),
    Setting(
      "max-wait", .duration(.zero...day), default: "1h", "Longest wait of an acquire", \.limits.waitMax),
    Setting(
      "heartbeat", .duration(.milliseconds(100) ... .seconds(60)), default: "5s",
      "Time between two lines of a held connection", \.server.heartbeat),
    Setting(
      "recovery-grace", .duration(.zero ... .seconds(600)), default: "2s",
      "Least time that leases from before a restart get, once, so that their holders can renew them",
      \.limits.recoveryGrace),
  ]

  private static let limits: [Setting] = [
    Setting("max-leases", .integer(16...16_000_000), default: "1000000", "Leases alive at once", \.limits.leases),
    Setting("max-waiters", .integer(1...1_000_000), default: "100000", "Requests that wait at once", \.limits.waiters),
    Setting(
      "max-waiters-per-lock", .integer(1...1_000_000), default: "20000",
      "Requests that wait for one lock at once", \.limits.waitersPerLock),
    Setting(
      "operation-waiters", .integer(1...1024), default: "64",
      "Raw semaphore operations that wait at once, each on a thread of its own", \.limits.operationWaiters),
    Setting(
      "max-processes", .integer(0...1_000_000), default: "10000",
      "Processes (bind=pid:N) and cgroups that leases are bound to at once; each takes a file descriptor",
      \.limits.processes),
    Setting(
      "events-kept", .integer(16...16_000_000), default: "16384",
      "Events kept for followers of /events; rounded up to a power of two", \.limits.events),
    Setting(
      "max-event-subscribers", .integer(1...100_000), default: "512", "Open answers of /events at once",
      \.limits.eventSubscribers),
    Setting(
      "tombstones", .integer(0...1_000_000), default: "10000",
      "Ended leases that are remembered, to tell a late holder why its lease is over", \.limits.tombstones),
    Setting(
      "idle-locks", .duration(.seconds(1)...day), default: "1m", "How long an unused lock is kept", \.limits.idleLocks),
  ]

  private static let memory: [Setting] = [
    Setting(
      "shm-key", .ipcKey, default: "0x4c534800",
      "System V key of the segment whose variables /shm serves when a request names none", \.store.defaultKey),
    Setting(
      "shm-size", .bytes(40...1 << 30), default: "1MiB", "Size of that segment when it is made", \.store.defaultBytes),
    Setting(
      "shm-objects", .choice(["refuse", "allow"]), default: "refuse",
      "Refuse or allow serialized objects, which PHP makes when it reads them", \.words.shmObjects),
    Setting(
      "max-value", .bytes(1 << 10...64 << 20), default: "1MiB",
      "Largest value of a variable, and most raw bytes of a segment, in one request", \.server.valueBytes),
  ]

  private static let cluster: [Setting] = [
    Setting(
      "engine", .text("engine"), default: "local",
      "Place of the locks: \"local\", this host's kernel, or etcd:http://HOST:2379,http://HOST:2379,... for "
        + "locks of several hosts", \.engine),
    Setting(
      "etcd-prefix", .text("prefix"), default: "/lh/1/", "Keys of etcd begin with this", \.etcd.prefix),
    Setting(
      "etcd-user", .text("name"), default: "none", "User of etcd, or \"none\" if it has no users", \.words.etcdUser),
    Setting(
      "etcd-password-file", .path(bytesMax: 4000), default: "", "File with the password of that user",
      \.etcdPasswordFile),
    Setting(
      "etcd-ca", .path(bytesMax: 4000), default: "",
      "Certificates that vouch for etcd's, in PEM; else those that this system trusts", \.etcd.authorities),
    Setting(
      "etcd-cert", .path(bytesMax: 4000), default: "",
      "Certificate to show to etcd, in PEM; needs --etcd-key", \.etcdCertificate),
    Setting("etcd-key", .path(bytesMax: 4000), default: "", "Private key of that certificate, in PEM", \.etcdKey),
  ]

  private static let kernel: [Setting] = [
    Setting(
      "pumps", .integer(1...1024), default: "64", "Threads that wait in the kernel for native holders", \.limits.pumps),
    Setting(
      "peer-pidfd", .choice(["auto", "never"]), default: "auto",
      "Ask the kernel for a pidfd of each peer (Linux 6.5), or never, only for its number",
      \.words.peerPidfd),
    Setting(
      "state-dir", .path(bytesMax: 4000), default: "",
      "Directory that keeps the highest fence across reboots", \.service.stateDirectory),
    Setting(
      "path-roots", .list("folder"), default: "/tmp,/var/tmp,/run/lock",
      "Folders below which the files of path: locks must lie, links followed; may be repeated", \.service.pathRoots),
    Setting(
      "control-key", .ipcKey, default: "0x4c480001", "System V key of the control set; for tests",
      hidden: true, \.service.controlKey),
    Setting("standby", .toggle, default: "false", "Wait for another daemon to end instead of giving up", \.standby),
  ]

  private static let logs: [Setting] = [
    Setting(
      "log-level",
      .choice(["trace", "debug", "info", "notice", "warning", "error", "critical"]), default: "info",
      "Lowest level to log", \.logLevel),
    Setting(
      "log-format", .choice(["plain", "json"]), default: "plain", "Form of a log line", \.logFormat),
    Setting(
      "slow-wait", .duration(.zero...day), default: "1s",
      "Requests that waited for a lock at least this long get a log line at info, others at debug", \.server.slowWait),
  ]

  private static let shareUnlessSet = "0 is half of what others leave"
}
