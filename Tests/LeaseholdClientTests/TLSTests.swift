import Glibc
import Testing

@testable import HTTPExchange
@testable import LeaseholdClient

/// The client against the daemon over TLS; what may be wrong with a certificate is in Tests/Cli/test_https.py.
@Suite(.serialized) struct TLSTests {
  @Test func aLockIsHeldWhileTheBodyRuns() async throws {
    let scene = try SecureScene()
    let client = try scene.client()
    let lock = Lock("deploy", wait: .seconds(5), client: client)
    let fence = try await lock.withLock { lease in
      let held = try await client.lock("deploy").held
      #expect(held == 1 && lease.keep == .stream)
      return lease.fence
    }
    let again = try await lock.acquire()
    #expect(again.fence > fence)
    await again.release()
  }

  @Test func whoIsCanceledWhileItWaitsLeavesTheQueue() async throws {
    let scene = try SecureScene()
    let client = try scene.client()
    let lock = Lock("a", ttl: .seconds(30), client: client)
    let first = try await lock.acquire()
    let canceled = Task { try await lock.acquire() }
    try await eventually { try await client.lock("a").waiting == 1 }
    canceled.cancel()
    await #expect(throws: ClientError.canceled) { try await canceled.value }
    try await eventually { try await client.lock("a").waiting == 0 }
    await first.release()
  }

  @Test func aConnectionIsUsedAgainAfterAPauseAndReplacedAfterARestart() async throws {
    let scene = try SecureScene()
    let connection = LeaseholdConnection(try scene.client().endpoint)
    _ = try connection.send(Request("GET", ["locks"])).checked()
    let port = connection.localPort
    // Whatever TLS itself has sent meanwhile is no answer to anything.
    try await Task.sleep(for: .milliseconds(50))
    _ = try connection.send(Request("GET", ["locks"])).checked()
    #expect(connection.localPort == port)
    scene.daemon.kill()
    try scene.daemon.start()
    _ = try connection.send(Request("GET", ["locks"])).checked()
    #expect(connection.localPort != port)
  }

  @Test func aServiceThatNobodyVouchesForIsNotTrusted() async throws {
    let scene = try SecureScene()
    let client = try LeaseholdClient("https://localhost:\(scene.port)")
    await #expect {
      try await Lock("a", client: client).acquire()
    } throws: {
      guard case ClientError.insecure(_, let reason)? = $0 as? ClientError else { return false }
      return reason.contains("vouches")
    }
  }

  @Test(arguments: [("127.0.0.1", true), ("::1", true), ("localhost", false), ("1.2.3.example", false)])
  func anAddressIsToldFromAName(host: String, isAddress: Bool) {
    #expect(TLSSession.isAddress(host) == isAddress)
  }
}

/// A daemon with a certificate of its own.
private final class SecureScene {
  let daemon: Daemon
  let port: UInt16
  private let folder: String
  private var certificate: String { folder + "/certificate.pem" }

  init() throws {
    var template = Array("/tmp/leasehold-tls-XXXXXX".utf8CString)
    folder = String(cString: try #require(mkdtemp(&template)))
    port = UInt16.random(in: 20000...31000)
    let (certificate, key) = (folder + "/certificate.pem", folder + "/key.pem")
    try Self.run([
      "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
      "-keyout", key, "-out", certificate, "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
    ])
    chmod(key, 0o600)
    daemon = try Daemon(["--host", "127.0.0.1", "--port", "\(port)", "--tls-cert", certificate, "--tls-key", key])
  }

  deinit {
    for name in ["certificate.pem", "key.pem"] { unlink(folder + "/" + name) }
    rmdir(folder)
  }

  func client() throws -> LeaseholdClient {
    try LeaseholdClient("https://localhost:\(port)", authorities: certificate)
  }

  private static func run(_ words: [String]) throws {
    var arguments = words.map { strdup($0) } + [nil]
    defer { for argument in arguments { free(argument) } }
    var (process, status): (pid_t, Int32) = (0, 0)
    try #require(posix_spawnp(&process, words[0], nil, nil, &arguments, environ) == 0)
    while waitpid(process, &status, 0) < 0, errno == EINTR {}
    try #require(status == 0)
  }
}
