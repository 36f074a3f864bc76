import Glibc
import Testing

@testable import LeaseholdHTTP

@Suite struct SelfRequestTests {
  @Test(arguments: [true, false])
  func aListenerAnswersItselfUntilItsThreadHangs(overUnix: Bool) throws {
    let path = "/tmp/leasehold-self-\(getpid()).sock"
    let server = try TestServer(
      overUnix ? .unix(path: path, mode: 0o600) : .tcp(host: "127.0.0.1", port: 0))
    #expect(server.listener.answers(within: 5000))
    server.handler.hanging {
      #expect(!server.listener.answers(within: 100))
    }
    #expect(server.listener.answers(within: 5000))
    server.stop()
    #expect(!server.listener.answers(within: 100))
  }

  @Test func aFullListenerCountsAsServing() throws {
    let server = try TestServer(.tcp(host: "127.0.0.1", port: 0)) { $0.connectionLimit = 1 }
    let client = server.client().request("GET", "/park")
    while server.listener.connections < 1 { usleep(1000) }
    server.handler.hanging {
      #expect(server.listener.answers(within: 100))
    }
    _ = client
  }
}
