import Glibc
import LeaseholdHTTP
import Testing

@testable import leasehold

@Suite struct InheritedSocketsTests {
  private let announced = ["LISTEN_PID": "7", "LISTEN_FDS": "2", "LISTEN_FDNAMES": "web:local"]

  private func inherited(
    _ environment: [String: String], _ addresses: [Int32: InheritedSockets.Address]
  ) throws(Failure) -> InheritedSockets {
    try InheritedSockets(environment: environment, processID: 7) { addresses[$0] }
  }

  @Test func socketsAreCountedFromThreeAndNamed() throws {
    let found = try inherited(announced, [3: .tcp(host: "127.0.0.1", port: 80), 4: .unix("/run/a.sock")])
    #expect(found.sockets.map(\.descriptor) == [3, 4])
    #expect(found.hosts == ["127.0.0.1"] && found.unixPath == "/run/a.sock")
    #expect(found.sockets.map(\.name) == ["web", "local"])
    #expect(found.sockets.map(\.address.description) == ["127.0.0.1:80", "/run/a.sock"])
    #expect(InheritedSockets.Address.tcp(host: "::1", port: 80).description == "[::1]:80")
  }

  @Test(arguments: [
    [:], ["LISTEN_PID": "8", "LISTEN_FDS": "2"], ["LISTEN_FDS": "2"], ["LISTEN_PID": "7"],
    ["LISTEN_PID": "7", "LISTEN_FDS": "0"],
  ])
  func socketsOfAnotherProcessAreLeftAlone(environment: [String: String]) throws {
    #expect(try inherited(environment, [3: .unix("/a"), 4: .unix("/b")]).sockets == [])
  }

  @Test(arguments: ["many", "-1", "65", "2147483647"])
  func aCountThatCannotBeIsRefused(count: String) {
    #expect(throws: Failure.self) { try inherited(["LISTEN_PID": "7", "LISTEN_FDS": count], [:]) }
  }

  @Test func anythingButAListeningStreamSocketIsRefusedByItsName() {
    let error = #expect(throws: Failure.self) { try inherited(announced, [3: .unix("/a")]) }
    #expect(error?.message.hasPrefix("descriptor 4 (local) of the service manager is not a listening") == true)
    #expect(error?.status == 78)
  }

  /// What the settings say about a TCP socket on `host`, with `flags`; `nil` when it may be served.
  private func refusal(_ host: String, _ flags: [String: String]) throws -> Failure? {
    let found = try inherited(announced, [3: .tcp(host: host, port: 31_818), 4: .unix("/a")])
    let settings = try ServeOptions(resolve(flags: flags))
    do {
      try settings.check(found)
      return nil
    } catch {
      return error
    }
  }

  @Test(arguments: ["0.0.0.0", "::", "192.0.2.1", "::ffff:127.0.0.1"])
  func anAddressThatOthersReachNeedsTokensAndAWordThatTheyTravelInTheClear(host: String) throws {
    let bare = try #require(try refusal(host, ["insecure-plain-http": "true"]))
    #expect(bare.message.contains("--token-file") && bare.message.contains("ListenStream=127.0.0.1:31818"))
    #expect(bare.status == 78)
    let clear = try #require(try refusal(host, ["token-file": "/t"]))
    #expect(clear.message.contains("served without TLS: say --insecure-plain-http"))
    #expect(try refusal(host, ["token-file": "/t", "insecure-plain-http": "true"]) == nil)
  }

  @Test func onLoopbackNothingIsAskedForButThatTLSIsNotExpected() throws {
    #expect(try refusal("127.0.0.1", [:]) == nil)
    for host in ["127.0.0.1", "192.0.2.1"] {
      let error = try refusal(host, ["token-file": "/t", "tls-cert": "/c", "tls-key": "/k"])
      #expect(error?.message.contains("tls-key out of the settings") == true)
    }
  }

  @Test func aSocketReplacesTheListenerOfItsKindOnly() throws {
    var options = ServerOptions()
    options.unixPath = "/run/configured.sock"
    try inherited(["LISTEN_PID": "7", "LISTEN_FDS": "1"], [3: .unix("/a")]).replaceListeners(of: &options)
    #expect(options.inherited == [3] && options.unixPath == nil && options.host == "127.0.0.1")
    try inherited(["LISTEN_PID": "7", "LISTEN_FDS": "1"], [3: .tcp(host: "::1", port: 1)])
      .replaceListeners(of: &options)
    #expect(options.host == nil && options.allowedHosts == ["[::1]"])
  }

  @Test func theAddressOfARealSocketIsFound() throws {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    try #require(descriptor >= 0)
    defer { close(descriptor) }
    let name = "@leasehold-inherited-\(getpid())"
    try #require(Notify.withAddress(of: name) { bind(descriptor, $0, $1) } == 0)
    #expect(InheritedSockets.Address(listeningAt: descriptor) == nil)
    try #require(listen(descriptor, 1) == 0)
    #expect(InheritedSockets.Address(listeningAt: descriptor) == .unix(name))
    #expect(InheritedSockets.Address(listeningAt: 999) == nil)
  }

  @Test func datagramsAreNoStream() throws {
    let descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
    defer { close(descriptor) }
    #expect(InheritedSockets.Address(listeningAt: descriptor) == nil)
  }
}
