import Testing

@testable import LeaseholdHTTP

/// Who is closed for being silent, and who is not.
///
/// The waits are the server's, not the tests'.
@Suite struct IdleTests {
  private func server() throws -> TestServer { try TestServer { $0.idleTimeoutSeconds = 0.1 } }

  @Test(arguments: ["", "GET / HT", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc"])
  func aRequestThatDoesNotArriveIsClosed(_ sent: String) throws {
    let server = try server()
    let client = server.client().send(sent)
    #expect(client.isClosed())
    #expect(eventually { server.handler.counts.closed == 1 })
    #expect(eventually { server.handler.counts.arrived == 0 })
  }

  @Test func aSilentConnectionIsClosedAfterItsAnswer() throws {
    let client = try server()
    let silent = client.client().request("GET", "/a")
    #expect(silent.answer()?.status == 200)
    #expect(silent.isClosed())
  }

  @Test func parkedStreamingAndKeptConnectionsOutliveASilentOne() throws {
    let server = try server()
    let parked = server.client().request("POST", "/park")
    let kept = server.client().request("GET", "/keep")
    let streaming = server.client().request("GET", "/stream")
    #expect(kept.answer()?.status == 200)
    #expect(streaming.answer(head: true)?.status == 200)
    // Each of these was accepted after the three and is closed: twice the timeout has passed for them.
    for _ in 0..<2 { #expect(server.client().isClosed()) }
    #expect(eventually { server.handler.counts.hungUp == 0 })
    #expect(ToyHandler.grant(server.handler.takeParked()[0]))
    #expect(parked.answer()?.body == "granted\n")
    #expect(server.handler.streams[0].put("still\n"))
    #expect(streaming.chunk() == "still\n")
    #expect(kept.request("GET", "/b").answer()?.status == 200)
  }

  @Test func aConnectionNoLongerKeptIsClosed() throws {
    let server = try server()
    let client = server.client().request("GET", "/keep")
    #expect(client.answer()?.status == 200)
    server.handler.peers[0].keepOpen(false)
    #expect(client.isClosed())
  }

  @Test func aPeerThatDoesNotTakeItsAnswerIsClosed() throws {
    let server = try server()
    let client = server.client()
    for _ in 0..<40 { client.request("GET", "/big") }
    #expect(eventually { server.handler.counts.closed == 1 })
    #expect(eventually { server.handler.counts.undelivered == 1 })
  }
}
