import Testing

@testable import LeaseholdHTTP

@Suite struct KeepAliveTests {
  @Test func aConnectionServesOneRequestAfterTheOther() throws {
    let server = try TestServer()
    let client = server.client()
    for number in 1...3 {
      let answer = client.request("GET", "/echo/\(number)").answer()
      #expect(answer?.status == 200)
      #expect(answer?.body == "get /echo/\(number) http11 - \n")
    }
    client.hangUp()
    #expect(eventually { server.handler.counts.closed == 1 })
    #expect(
      eventually { server.handler.counts == .init(arrived: 3, delivered: 3, undelivered: 0, hungUp: 0, closed: 1) })
  }

  @Test func twoRequestsInOneWriteGetTwoAnswersInOrder() throws {
    let server = try TestServer()
    let pipelining = server.client()
    pipelining.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n")
    #expect(pipelining.answer()?.body == "get /a http11 - \n")
    #expect(pipelining.answer()?.body == "get /b http11 - \n")
  }

  @Test func aRequestBehindAParkedOneIsServedAfterIt() throws {
    let server = try TestServer()
    let client = server.client()
    client.send("GET /park HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n")
    #expect(eventually { server.handler.parked.count == 1 })
    #expect(eventually { server.handler.counts.arrived == 1 })
    #expect(ToyHandler.grant(server.handler.takeParked()[0]))
    #expect(client.answer()?.body == "granted\n")
    #expect(client.answer()?.body == "get /b http11 - \n")
  }

  @Test func headHasTheLengthAndNoBody() throws {
    let server = try TestServer()
    let client = server.client()
    let answer = client.request("HEAD", "/echo").answer(head: true)
    #expect(answer?.status == 200)
    #expect(answer?.headers["content-length"] == "21")
    #expect(client.request("GET", "/next").answer()?.body == "get /next http11 - \n")
  }

  @Test func everyAnswerHasTheCommonHeaders() throws {
    let server = try TestServer()
    let client = server.client()
    let answer = client.send("GET / HTTP/1.1\r\nHost: x\r\nX-Request-Id: job-7.a_B\r\n\r\n").answer()
    #expect(answer?.headers["x-request-id"] == "job-7.a_B")
    #expect(answer?.headers["cache-control"] == "no-store")
    #expect(answer?.headers["x-content-type-options"] == "nosniff")
    #expect(answer?.headers["content-type"] == "text/plain")
    for insane in ["a b", "", String(repeating: "x", count: 65), "a\"b"] {
      let id = client.send("GET / HTTP/1.1\r\nHost: x\r\nX-Request-Id: \(insane)\r\n\r\n").answer()?.headers[
        "x-request-id"]
      #expect(id?.count == 16)
      #expect(id != insane)
    }
  }

  @Test func anHTTP10RequestIsAnsweredAndClosed() throws {
    let server = try TestServer()
    let client = server.client()
    #expect(client.send("GET /old HTTP/1.0\r\n\r\n").answer()?.body == "get /old http10 - \n")
    #expect(client.isClosed())
  }
}
