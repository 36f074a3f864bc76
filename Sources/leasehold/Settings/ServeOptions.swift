internal import Glibc
internal import Leasehold
internal import LeaseholdClient
internal import LeaseholdEtcd
internal import LeaseholdHTTP
internal import LeaseholdLocal

/// Everything `leasehold serve` was told, read and checked, as each part of the service takes it.
///
/// The table of settings says which setting goes where.
struct ServeOptions: Sendable {
  var server = ServerOptions()
  var service = LocalServiceOptions()
  var store = SegmentStoreOptions()
  /// The engine as it was named: `local`, or `etcd:` and URLs.
  var engine = "local"
  var etcd = EtcdConfiguration(endpoints: [])
  var etcdUser: String? { words.etcdUser == "none" ? nil : words.etcdUser }
  var etcdPasswordFile: String?
  /// With ``etcdKey``, both or neither.
  var etcdCertificate: String?
  var etcdKey: String?
  /// The maxima of service and server.
  var limits = Limits()
  /// Time for open requests to end.
  var drainTimeout = TimeSpan.seconds(5)
  /// The daemon ends when no caller needs it for so long; zero is never.
  var idleExit = TimeSpan.zero
  /// With ``tlsKeyPath``, both or neither.
  var tlsCertificatePath: String?
  var tlsKeyPath: String?
  var allowsPlainHTTP = false
  /// True to wait for another daemon to end.
  var standby = false
  var logLevel = "info"
  var logFormat = LogFormat.plain
  /// Settings that are words where the parts take something else.
  var words = (host: "", etcdUser: "", shmObjects: "", peerPidfd: "")

  /// Form of a log line.
  enum LogFormat: String, Sendable {
    case plain, json
  }

  /// Takes settings that are good by themselves and checks them against each other.
  init(_ resolved: ResolvedSettings) throws(Failure) {
    for entry in resolved.all { entry.setting.store(entry.value, &self) }
    server.host = words.host == "none" ? nil : words.host
    server.allowsObjects = words.shmObjects == "allow"
    service.usesPeerHandle = words.peerPidfd == "auto"
    if server.unixPath == "own" { server.unixPath = try Self.ownSocket(resolved["unix"]) }
    try check(resolved)
    if server.threads == 0 { server.threads = Self.threads(processors: sysconf(Int32(_SC_NPROCESSORS_ONLN))) }
    server.allowedHosts = server.allowedHosts.map { $0.lowercased() }
    server.limits = limits
    server.versions = .built
    service.limits = limits
    etcd.limits = limits
    let scheme = tlsKeyPath == nil ? "http" : "https"
    service.description = [server.host.map { "\(scheme)://\($0):\(server.port)" }, server.unixPath]
      .compactMap(\.self).joined(separator: " and ")
    store.controlKey = service.controlKey
    store.readBytes = server.valueBytes
  }

  /// The path of the user's own socket, in a folder that is there.
  private static func ownSocket(_ setting: ResolvedSetting) throws(Failure) -> String {
    do throws(ClientError) {
      try OwnFolder.current.make()
    } catch {
      throw setting.error("\(error)")
    }
    return OwnFolder.current.socket
  }

  /// The threads that serve connections where none are set: one below 4 processors, else half of them and at most 4.
  static func threads(processors: Int) -> Int { processors < 4 ? 1 : min(4, processors / 2) }
}

// What one setting alone cannot tell.
extension ServeOptions {
  private mutating func check(_ resolved: ResolvedSettings) throws(Failure) {
    try checkOrder(resolved["ttl-min"], limits.ttlMin, resolved["ttl-default"], limits.ttlDefault)
    try checkOrder(resolved["ttl-default"], limits.ttlDefault, resolved["ttl-max"], limits.ttlMax)
    try checkPair(resolved, ("tls-cert", tlsCertificatePath), ("tls-key", tlsKeyPath), "TLS needs both")
    if server.unixNeedsToken, server.tokenFile == nil {
      throw resolved["unix-needs-token"].error("there are no tokens without --token-file")
    }
    try checkHost(resolved["host"])
    try checkEngine(resolved)
  }

  /// Takes the engine's name apart.
  private mutating func checkEngine(_ resolved: ResolvedSettings) throws(Failure) {
    guard engine != "local" else { return }
    let urls =
      engine.utf8.starts(with: "etcd:".utf8) ? engine.utf8.dropFirst(5).split(separator: UInt8(ascii: ",")) : []
    etcd.endpoints = urls.map { String(decoding: $0, as: UTF8.self) }
    guard !etcd.endpoints.isEmpty else {
      throw resolved["engine"].error("'\(engine)' is no engine: give local, or etcd:http://HOST:2379")
    }
    try checkPair(resolved, ("etcd-cert", etcdCertificate), ("etcd-key", etcdKey), "a certificate needs its key")
    try checkPair(
      resolved, ("etcd-user", etcdUser), ("etcd-password-file", etcdPasswordFile), "a user needs its password")
    if let etcdCertificate, let etcdKey { etcd.certificate = (etcdCertificate, etcdKey) }
    let papers = etcd.authorities != nil ? "etcd-ca" : etcdCertificate != nil ? "etcd-cert" : nil
    if let papers, let plain = etcd.endpoints.first(where: { !$0.utf8.starts(with: "https://".utf8) }) {
      throw resolved[papers].error("certificates are for https://, and '\(plain)' has no TLS")
    }
  }

  /// Refuses to serve other hosts by accident, and tokens that could be read on the way.
  private func checkHost(_ setting: ResolvedSetting) throws(Failure) {
    guard let host = server.host else {
      guard server.unixPath == nil else { return }
      throw setting.error("'none' leaves nothing to listen on: give --unix")
    }
    guard !Self.isLoopback(host) else { return }
    guard server.tokenFile != nil else {
      throw setting.error(
        "'\(host)' is not a loopback address: others than this host can reach it, so it needs tokens (--token-file); "
          + "or bind to 127.0.0.1, or use --unix")
    }
    guard tlsCertificatePath != nil || allowsPlainHTTP else {
      throw setting.error(
        "'\(host)' is not a loopback address, and without TLS everybody on the way can read the tokens: give "
          + "--tls-cert and --tls-key, or say --insecure-plain-http")
    }
  }

  /// Refuses one of two settings without the other.
  private func checkPair(
    _ resolved: ResolvedSettings, _ one: (name: String, value: String?), _ other: (name: String, value: String?),
    _ reason: String
  ) throws(Failure) {
    guard (one.value == nil) != (other.value == nil) else { return }
    let (given, missing) = one.value == nil ? (other.name, one.name) : (one.name, other.name)
    throw resolved[given].error("--\(missing) is missing: \(reason)")
  }

  private func checkOrder(
    _ low: ResolvedSetting, _ lower: TimeSpan, _ high: ResolvedSetting, _ upper: TimeSpan
  ) throws(Failure) {
    guard lower > upper else { return }
    let status: ExitStatus = [low.source, high.source].contains(.flag) ? .usage : .configuration
    throw Failure("\(low.place): \(low.text) is more than \(high.place), \(high.text)", status)
  }

  /// Returns true when no other host can reach the address.
  static func isLoopback(_ host: String) -> Bool {
    if host == "localhost" { return true }
    var four = in_addr()
    if inet_pton(AF_INET, host, &four) == 1 { return UInt32(bigEndian: four.s_addr) >> 24 == 127 }
    var six = in6_addr()
    guard inet_pton(AF_INET6, host, &six) == 1 else { return false }
    return withUnsafeBytes(of: six) { bytes in bytes.last == 1 && bytes.dropLast().allSatisfy { $0 == 0 } }
  }
}
