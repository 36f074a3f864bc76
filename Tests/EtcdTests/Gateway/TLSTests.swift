import EtcdGateway
import Glibc
import HTTPExchange
import LeaseholdHost
import Testing

/// The gateway to an etcd that wants certificates of its clients.
@Suite(.enabled(if: !EtcdProcess.programs.isEmpty, "there is no etcd: apt-get install etcd-server"))
struct TLSTests {
  @Test(arguments: EtcdProcess.programs)
  func aCertificateIsShownAndTheOthersLookedAt(program: String) throws {
    let papers = try Papers()
    let etcd = try EtcdProcess(
      program, scheme: "https",
      [
        "--cert-file", papers.file("server.pem"), "--key-file", papers.file("server.key"), "--client-cert-auth",
        "--trusted-ca-file", papers.file("ca.pem"),
      ])
    let own = (file: papers.file("client.pem"), key: papers.file("client.key"))
    func trust(_ authorities: String?, _ own: (file: String, key: String)?) throws -> EtcdGateway {
      var peer = HTTPPeer(.tls(host: "127.0.0.1", port: etcd.port), authorities: authorities, setting: "--etcd-ca")
      peer.certificate = own
      return EtcdGateway(.init(endpoints: [peer]))
    }
    let gateway = try etcd.gateway {
      let address = ServiceAddress.tls(host: "127.0.0.1", port: etcd.port)
      var peer = HTTPPeer(address, authorities: papers.file("ca.pem"), setting: "--etcd-ca")
      peer.certificate = own
      $0.endpoints = [peer]
    }
    let put = EtcdTransaction(if: [], then: [.put("/t/a", value: [], lease: 0)])
    _ = try gateway.commit(put, before: soon())
    // TLS 1.3 tells of it after the request, so nobody knows whether that was read.
    #expect(throws: EtcdFailure.self) {
      try trust(papers.file("ca.pem"), nil).commit(put, before: HostClock.monotonic(after: .milliseconds(300)))
    }
    let error = #expect(throws: EtcdFailure.self) { try trust(nil, own).commit(put, before: soon()) }
    #expect(error?.reason.contains("name its CA with --etcd-ca") ?? false)
    let lost = (file: papers.file("client.pem"), key: papers.file("none"))
    let flaw = #expect(throws: EtcdFailure.self) { try trust(papers.file("ca.pem"), lost).commit(put, before: soon()) }
    #expect(flaw?.reason.contains("cannot be shown") ?? false)
  }
}

/// An authority, and certificates of a server and of a client.
private final class Papers {
  private let folder: String

  init() throws {
    var template = Array("/tmp/leasehold-etcd-tls-XXXXXX".utf8CString)
    folder = String(cString: try #require(mkdtemp(&template)))
    let ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    try run(
      ["req", "-x509"] + ec + ["-days", "2", "-subj", "/CN=ca", "-keyout", file("ca.key"), "-out", file("ca.pem")])
    for name in ["server", "client"] {
      try run(
        ["req", "-x509"] + ec + [
          "-days", "2", "-subj", "/O=\(name)", "-CA", file("ca.pem"), "-CAkey", file("ca.key"), "-keyout",
          file(name + ".key"), "-out", file(name + ".pem"), "-addext", "subjectAltName=IP:127.0.0.1", "-addext",
          "extendedKeyUsage=serverAuth,clientAuth", "-addext", "basicConstraints=critical,CA:FALSE",
        ])
    }
  }

  deinit {
    for name in ["ca.key", "ca.pem", "server.key", "server.pem", "client.key", "client.pem"] { unlink(file(name)) }
    rmdir(folder)
  }

  func file(_ name: String) -> String { folder + "/" + name }

  private func run(_ words: [String]) throws {
    var arguments = (["openssl"] + words).map { strdup($0) } + [nil]
    defer { for argument in arguments { free(argument) } }
    var (process, status): (pid_t, Int32) = (0, 0)
    try #require(posix_spawnp(&process, "openssl", nil, nil, &arguments, environ) == 0)
    while waitpid(process, &status, 0) < 0, errno == EINTR {}
    try #require(status == 0)
  }
}
