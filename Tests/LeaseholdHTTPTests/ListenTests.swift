import Glibc
import Leasehold
import Testing

@testable import LeaseholdHTTP

@Suite struct ListenTests {
  /// A path in a directory of its own.
  private func path(_ name: String = "socket") -> String {
    var template = Array("/tmp/leasehold-test-XXXXXX".utf8CString)
    return (mkdtemp(&template).map { String(cString: $0) } ?? "/tmp") + "/" + name
  }

  private func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

  @Test(arguments: ["127.0.0.1", "localhost", "0.0.0.0"])
  func hostsAreLiteralsOrLocalhost(_ host: String) throws {
    let server = try TestServer(.tcp(host: host, port: 0))
    #expect(server.client().request("GET", "/").answer()?.status == 200)
    #expect(server.handler.peers[0].peer.address?.contains("127.0.0.1:") == true)
  }

  @Test(arguments: ["example.invalid", "", "1.2.3", "203.0.113.7"])
  func otherHostsAreRefused(_ host: String) throws {
    #expect(throws: ServerError.self) { try TestServer(.tcp(host: host, port: 0)) }
  }

  @Test func aPortInUseIsReportedAtOnceOrAfterTheRetry() throws {
    let server = try TestServer()
    let port = server.port
    for retry in [Duration.zero, .milliseconds(50)] {
      #expect(throws: ServerError.addressInUse("127.0.0.1:\(port)")) {
        try TestServer(.tcp(host: "127.0.0.1", port: port)) { $0.bindRetry = retry }
      }
    }
  }

  @Test func aPortIsFreeAgainAtOnceAfterAStop() throws {
    let server = try TestServer()
    let port = server.port
    let client = server.client().request("GET", "/")
    #expect(client.answer()?.status == 200)
    server.stop()
    #expect(try TestServer(.tcp(host: "127.0.0.1", port: port)).port == port)
  }

  @Test func aUnixSocketKnowsItsPeerAndItsMode() throws {
    let path = path()
    let server = try TestServer(.unix(path: path, mode: 0o640))
    var status = stat()
    #expect(lstat(path, &status) == 0 && status.st_mode & 0o777 == 0o640)
    #expect(RawClient(path: path).request("GET", "/u").answer()?.body == "get /u http11 - \n")
    guard case .local(let pid, let uid, let gid) = server.handler.peers[0].peer else {
      Issue.record("not a unix peer")
      return
    }
    #expect(pid == getpid() && uid == getuid() && gid == getgid())
    #expect(server.listener.port == nil)
    server.stop()
    #expect(!exists(path))
  }

  @Test func aSocketWhoseServerIsGoneIsReplaced() throws {
    let path = path()
    let stale = try ListenSocket.open(ListenerOptions(.unix(path: path, mode: 0o600)))
    close(stale.descriptor)
    #expect(exists(path))
    let server = try TestServer(.unix(path: path, mode: 0o600))
    #expect(RawClient(path: path).request("GET", "/").answer()?.status == 200)
    _ = server
  }

  @Test func aSocketThatAnswersIsLeftAlone() throws {
    let path = path()
    let server = try TestServer(.unix(path: path, mode: 0o600))
    #expect(throws: ServerError.addressInUse(path)) { try TestServer(.unix(path: path, mode: 0o600)) }
    #expect(RawClient(path: path).request("GET", "/").answer()?.status == 200)
    _ = server
  }

  @Test func anythingButASocketAtThePathIsLeftAlone() throws {
    let path = path()
    close(creat(path, 0o600))
    #expect(throws: ServerError.pathExists(path)) { try TestServer(.unix(path: path, mode: 0o600)) }
    #expect(exists(path))
  }

  @Test func aFileThatTookTheSocketsPlaceIsNotRemoved() throws {
    let path = path()
    let server = try TestServer(.unix(path: path, mode: 0o600))
    rename(path, path + ".old")
    close(creat(path, 0o600))
    server.stop()
    #expect(exists(path))
  }

  @Test func aPathThatDoesNotFitIsReported() throws {
    let long = "/tmp/" + String(repeating: "x", count: 103)
    #expect(throws: ServerError.badPath(long)) { try TestServer(.unix(path: long, mode: 0o600)) }
    #expect(throws: ServerError.badPath("")) { try TestServer(.unix(path: "", mode: 0o600)) }
    #expect(throws: ServerError.self) { try TestServer(.unix(path: "/nowhere/at/all", mode: 0o600)) }
  }

  @Test func anInheritedSocketIsServedAndKeepsListening() throws {
    let socket = try ListenSocket.open(ListenerOptions(.tcp(host: "127.0.0.1", port: 0)))
    let port = try #require(socket.port)
    let ours = dup(socket.descriptor)
    let server = try TestServer(.inherited(descriptor: ours))
    #expect(RawClient(port: port).request("GET", "/").answer()?.status == 200)
    server.stop()
    let waiting = RawClient(port: port).request("GET", "/later")
    let successor = try TestServer(.inherited(descriptor: socket.descriptor))
    #expect(waiting.answer()?.body == "get /later http11 - \n")
    _ = successor
  }

  @Test func aDescriptorThatDoesNotListenIsRefused() throws {
    #expect(throws: ServerError.notListening(0)) { try TestServer(.inherited(descriptor: 0)) }
  }

  @Test func listenersShareOneHandlerAndOneWatch() throws {
    let path = path()
    let server = try TestServer()
    let unix = HTTPListener(ListenerOptions(.unix(path: path, mode: 0o600)), watch: server.watch)
    try unix.start(handler: server.handler)
    let (tcp, local) = (server.client().request("POST", "/park"), RawClient(path: path).request("POST", "/park"))
    #expect(eventually { server.handler.parked.count == 2 })
    unix.stop()
    #expect(local.answer()?.status == 503)
    #expect(server.handler.takeParked().filter { ToyHandler.grant($0) }.count == 1)
    #expect(tcp.answer()?.body == "granted\n")
  }

  @Test func aUnixPeerThatHangsUpWhileParkedIsNoticed() throws {
    let path = path()
    let server = try TestServer(.unix(path: path, mode: 0o600))
    let client = RawClient(path: path).request("POST", "/park")
    #expect(eventually { server.handler.parked.count == 1 })
    client.hangUp()
    #expect(eventually { server.handler.counts.closed == 1 })
    #expect(eventually { server.handler.counts.hungUp == 1 })
  }
}
