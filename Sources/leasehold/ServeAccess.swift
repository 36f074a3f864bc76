internal import Leasehold
internal import LeaseholdEtcd
internal import LeaseholdHTTP
internal import Logging

extension ServeOptions {
  /// Reads the certificate and the key that are named.
  mutating func readSecrets() throws(Failure) {
    if let etcdUser, let etcdPasswordFile {
      let bytes = try Self.read(etcdPasswordFile, "--etcd-password-file")
      let password = String(decoding: bytes, as: UTF8.self)
      etcd.user = (etcdUser, String(password.drop { $0.isNewline }.prefix { !$0.isNewline }))
    }
    guard let tlsCertificatePath, let tlsKeyPath else { return }
    let flags = "--tls-cert, --tls-key"
    server.tls = (try Self.read(tlsCertificatePath, flags, isSecret: false), try Self.read(tlsKeyPath, flags))
  }

  private static func read(_ path: String, _ flags: String, isSecret: Bool = true) throws(Failure) -> [UInt8] {
    do {
      return try SecretFile.read(path, isSecret: isSecret)
    } catch {
      throw Failure("\(flags): \(error)", .configuration)
    }
  }

  /// Reads the files that are named, as serving would.
  func checkFiles() throws(Failure) {
    var complete = self
    try complete.readSecrets()
    if let path = server.tokenFile { _ = try Self.read(path, "--token-file") }
  }

  /// Checks the TCP sockets of the service manager as `--host` is checked.
  ///
  /// They are served without TLS, so for an address that others reach the operator must have said that this is meant.
  func check(_ inherited: InheritedSockets) throws(Failure) {
    for socket in inherited.sockets {
      guard case .tcp(let host, let port) = socket.address else { continue }
      guard tlsKeyPath == nil else {
        throw Failure(
          "a TCP socket of the service manager is served without TLS: take ListenStream=\(socket.address) out of the "
            + "socket unit, or tls-key out of the settings", .configuration)
      }
      guard !Self.isLoopback(host) else { continue }
      let what =
        "descriptor \(socket.descriptor) (\(socket.name)) of the service manager listens on \(host) port \(port), "
        + "which is not a loopback address"
      guard server.tokenFile != nil else {
        throw Failure(
          "\(what): others than this host can reach it, so it needs tokens (--token-file); or write "
            + "ListenStream=127.0.0.1:\(port) in the socket unit", .configuration)
      }
      guard allowsPlainHTTP else {
        throw Failure(
          "\(what), and sockets of the service manager are served without TLS: say --insecure-plain-http, or let "
            + "--host with --tls-cert and --tls-key open it", .configuration)
      }
    }
  }

  /// Says what is open that might better not be.
  ///
  /// - Parameter inherited: What stands in the place of the configured listeners.
  func warnOfOpenDoors(_ inherited: InheritedSockets, _ log: Logger) {
    guard server.tokenFile != nil, tlsCertificatePath == nil else { return }
    let hosts = inherited.hosts.isEmpty ? [server.host].compactMap(\.self) : inherited.hosts
    guard let host = hosts.first(where: { !Self.isLoopback($0) }) ?? hosts.first else { return }
    if Self.isLoopback(host) {
      log.info("tokens travel without TLS, on this host alone", metadata: ["host": "\(host)"])
    } else {
      log.warning(
        "INSECURE: tokens travel over the network without TLS, and whoever reads one has it; see --tls-cert",
        metadata: ["host": "\(host)"])
    }
  }
}

/// Reads the file of tokens again, as SIGHUP asks.
func reloadTokens(of server: Server, log: Logger) {
  do {
    if let count = try server.reloadTokens() {
      log.info("read the tokens again", metadata: ["tokens": .stringConvertible(count)])
    } else {
      log.info("nothing to read again: there is no --token-file")
    }
  } catch {
    log.error("the tokens stay as they were", metadata: ["reason": "\(error)"])
  }
}
