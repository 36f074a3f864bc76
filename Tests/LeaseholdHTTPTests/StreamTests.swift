import Glibc
import Testing

@testable import LeaseholdHTTP

@Suite struct StreamTests {
  private func open(_ server: TestServer, _ request: String = "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n") -> RawClient {
    let before = server.handler.streams.count
    let client = server.client().send(request)
    #expect(eventually { server.handler.streams.count == before + 1 })
    return client
  }

  @Test func linesArriveAsTheyAreWritten() throws {
    let server = try TestServer()
    let client = open(server)
    // The head must not wait for the first line.
    let head = client.answer(head: true)
    #expect(head?.headers["content-type"] == "application/x-ndjson")
    for number in 1...5 {
      #expect(server.handler.streams[0].put("line \(number)\n"))
      #expect(client.chunk() == "line \(number)\n")
    }
    server.handler.streams[0].finish()
    #expect(client.chunk() == "")
    #expect(eventually { server.handler.counts.delivered == 1 })
    #expect(!server.handler.streams[0].put("late\n"))
  }

  @Test func aFinishedStreamLeavesItsConnectionToTheNextRequest() throws {
    let server = try TestServer()
    let client = open(server)
    server.handler.streams[0].put("only\n")
    server.handler.streams[0].finish()
    #expect(client.answer()?.body == "only\n")
    #expect(client.request("GET", "/next").answer()?.status == 200)
  }

  @Test func anHTTP10StreamEndsWithItsConnection() throws {
    let server = try TestServer()
    let client = open(server, "GET /stream HTTP/1.0\r\n\r\n")
    server.handler.streams[0].put("only\n")
    server.handler.streams[0].finish()
    #expect(client.answer()?.headers["transfer-encoding"] == nil)
    #expect(client.isClosed())
    #expect(eventually { server.handler.counts.delivered == 1 })
  }

  @Test(arguments: ["close", "reset", "half-close"])
  func aReaderThatLeavesEndsTheExchange(_ how: String) throws {
    let server = try TestServer()
    let client = open(server)
    server.handler.streams[0].put("one\n")
    #expect(client.answer(head: true)?.status == 200)
    #expect(client.chunk() == "one\n")
    switch how {
    case "close": client.hangUp()
    case "reset": client.reset()
    default: client.halfClose()
    }
    #expect(eventually { server.handler.counts.closed == 1 })
    #expect(
      eventually { server.handler.counts == .init(arrived: 1, delivered: 0, undelivered: 1, hungUp: 0, closed: 1) })
    #expect(!server.handler.streams[0].put("two\n"))
  }

  @Test func aReaderThatDoesNotReadIsDropped() throws {
    let server = try TestServer()
    let client = open(server)
    let much = String(repeating: "x", count: 16_384)
    #expect(eventually { !server.handler.streams[0].put(much) })
    #expect(eventually { server.handler.counts.closed == 1 })
    #expect(server.listener.droppedStreams == 1)
    #expect(eventually { server.handler.counts.undelivered == 1 })
    client.hangUp()
  }

  @Test func aHeadRequestForAStreamEndsAtOnce() throws {
    let server = try TestServer()
    let client = open(server, "HEAD /stream HTTP/1.1\r\nHost: x\r\n\r\n")
    #expect(client.answer(head: true)?.status == 200)
    #expect(eventually { server.handler.counts.delivered == 1 })
    #expect(!server.handler.streams[0].put("nobody\n"))
  }

  @Test func aBigAnswerArrivesWhole() throws {
    let server = try TestServer()
    #expect(server.client().request("GET", "/big").answer()?.body.utf8.count == 1_000_019)
  }
}
