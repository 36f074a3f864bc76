import Leasehold
import Testing

@testable import LeaseholdHTTP

/// What a request may look like on the wire.
@Suite struct RequestTests {
  @Test(arguments: ["/a%2Fb", "/%00", "/k?x=%26&y=a+b", "/?", "/a?b?c", "/%zz", "//x", "/\u{FC}"])
  func theTargetComesAsItWasSent(_ target: String) throws {
    let server = try TestServer()
    #expect(server.client().request("GET", target).answer()?.body == "get \(target) http11 - \n")
  }

  @Test(arguments: [
    ("GET", "get"), ("POST", "post"), ("PUT", "put"), ("PATCH", "patch"), ("DELETE", "delete"),
    ("OPTIONS", "options"), ("PUTT", "other"), ("BREW", "other"), ("get", "other"), ("P", "other"),
  ])
  func methodsAreToldApart(_ method: String, _ name: String) throws {
    let server = try TestServer()
    #expect(server.client().request(method, "/").answer()?.body == "\(name) / http11 - \n")
  }

  @Test func aBodyArrivesWhole() throws {
    let server = try TestServer()
    let client = server.client()
    let head = "POST /b HTTP/1.1\r\nHost: x\r\nContent-Type: text/x \r\nContent-Length: 5\r\n\r\n"
    #expect(client.send(head + "he").send("llo").answer()?.body == "post /b http11 text/x hello\n")
    #expect(client.request("GET", "/next").answer()?.body == "get /next http11 - \n")
  }

  @Test func aChunkedBodyArrivesWhole() throws {
    let server = try TestServer()
    let client = server.client()
    client.send("POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
    #expect(client.send("2;x=y\r\nde\r\n0\r\nTrailer: v\r\n\r\n").answer()?.body == "post /c http11 - abcde\n")
    #expect(client.request("GET", "/next").answer()?.body == "get /next http11 - \n")
  }

  @Test func aBodyIsAskedForWithContinue() throws {
    let server = try TestServer()
    let client = server.client()
    client.send("POST /e HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
    #expect(client.answer()?.status == 100)
    #expect(client.send("ok").answer()?.body == "post /e http11 - ok\n")
  }

  @Test func aRefusalByHeadersComesInsteadOfContinue() throws {
    let server = try TestServer()
    let client = server.client()
    client.send("POST /refuse HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
    #expect(client.answer()?.status == 403)
    #expect(client.isClosed())
    #expect(eventually { server.handler.counts.arrived == 0 })
  }

  @Test func aRefusedRequestWithoutBodyKeepsItsConnection() throws {
    let server = try TestServer()
    let client = server.client()
    #expect(client.request("GET", "/refuse").answer()?.status == 403)
    #expect(client.request("GET", "/b").answer()?.status == 200)
    #expect(eventually { server.handler.counts.arrived == 1 })
  }

  @Test func aBodyThatIsDeclaredTooLargeIsReadAndRefused() throws {
    let server = try TestServer { $0.maxBodyBytes = 1000 }
    let client = server.client()
    let body = String(repeating: "x", count: 200_000)
    client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
    #expect(client.answer()?.status == 413)
    #expect(client.request("GET", "/after").answer()?.body == "get /after http11 - \n")
  }

  @Test func aChunkedBodyThatGrowsTooLargeIsReadAndRefused() throws {
    let server = try TestServer { $0.maxBodyBytes = 1000 }
    let client = server.client()
    client.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in 0..<30 { client.send("64\r\n\(String(repeating: "y", count: 100))\r\n") }
    #expect(client.send("0\r\n\r\n").answer()?.status == 413)
    #expect(client.request("GET", "/after").answer()?.body == "get /after http11 - \n")
  }

  @Test func aBodyWithoutEndIsCutOff() throws {
    let server = try TestServer()
    let client = server.client()
    client.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    let chunk = "4000\r\n" + String(repeating: "y", count: 0x4000) + "\r\n"
    for _ in 0..<70 { client.send(chunk) }
    #expect(client.isClosed())
    #expect(eventually { server.handler.counts.closed == 1 })
    #expect(eventually { server.handler.counts.arrived == 0 })
  }

  @Test(
    arguments: [
      ("Host: a\r\nHost: b\r\n\r\n", .repeatedHost), ("A: b\r\n\r\n", .missingHost),
      ("Host: a b\r\n\r\n", .malformedHost), ("Host: a\r\nB : c\r\n\r\n", .badFieldName),
      ("Host: a\r\nB: c\rd\r\n\r\n", .badFieldValue), ("Host: a\r\nB: c\nD: e\r\n\r\n", .bareLineFeed),
      ("Host: a\r\nB: c\r\n\n", .bareLineFeed), ("Host: a\r\nB: c\r\n d\r\n\r\n", .brokenLine),
      ("Host: a\r\nB: c\0d\r\n\r\n", .brokenLine), ("Host: a\r\n: c\r\n\r\n", .brokenLine),
      ("Host: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", .ambiguousLength),
      ("Host: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", .ambiguousLength),
      ("Host: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", .unknownTransferEncoding),
      ("Host: a\r\nTransfer-Encoding: identity\r\n\r\nab", .unknownTransferEncoding),
    ] as [(String, LeaseholdError)])
  func anAmbiguousRequestIsRefusedAndItsConnectionClosed(_ rest: String, _ defect: LeaseholdError) throws {
    let server = try TestServer()
    let client = server.client()
    client.send("POST / HTTP/1.1\r\n" + rest)
    let answer = client.answer()
    #expect(answer?.status == 400)
    #expect(answer?.body == "\(defect.detail)\n")
    #expect(client.isClosed())
    #expect(eventually { server.handler.counts.arrived == 0 })
  }

  @Test func aNulInTheTargetIsRefused() throws {
    let server = try TestServer()
    let client = server.client()
    client.sendBytes(Array("GET /a".utf8) + [0] + Array("b HTTP/1.1\r\nHost: x\r\n\r\n".utf8))
    #expect(client.answer()?.status == 400)
    #expect(eventually { server.handler.counts.arrived == 0 })
  }

  @Test func aTargetThatIsTooLongIsRefused() throws {
    let server = try TestServer { $0.maxTargetBytes = 100 }
    let target = "/" + String(repeating: "a", count: 100)
    #expect(server.client().request("GET", target).answer()?.body == LeaseholdError.targetTooLong.detail + "\n")
    #expect(server.client().request("GET", String(target.dropLast())).answer()?.status == 200)
  }

  @Test func aQueryOfAThousandArgumentsCostsNoMemoryOfTheConnection() throws {
    let server = try TestServer()
    let target = "/?" + String(repeating: "a&", count: 3500)
    #expect(server.client().request("GET", target).answer()?.body == "get \(target) http11 - \n")
  }

  @Test func headersAreFoundWhateverTheirCase() throws {
    let server = try TestServer()
    let client = server.client()
    #expect(
      client.send("GET / HTTP/1.1\r\nhOST: x\r\nCONTENT-type:a/b\t \r\n\r\n").answer()?.body == "get / http11 a/b \n")
  }

  @Test func theHeadOfALibraryErrorTellsWhichOneItIs() {
    for (status, page, code, word) in [
      (400, "<html><body>wrong value for <b>Content-Length</b> header</body></html>", "malformed-request", "Length"),
      (400, "<html><body>Your HTTP chunked encoding was incorrect</body></html>", "malformed-request", "chunks"),
      (400, "<html><body>Your HTTP request was incorrect</body></html>", "malformed-request", "request line"),
      (413, "", "body-too-large", "64 bits"), (414, "", "uri-too-long", "request line"),
      (431, "", "headers-too-large", "fields"), (505, "", "unknown-version", "HTTP/1.1"), (500, "", "internal", "read"),
    ] {
      let error = Array(page.utf8).withUnsafeBytes { LeaseholdError.unread(status: status, page: $0) }
      #expect(error.code.rawValue == code && error.detail.contains(word), "\(page)")
    }
    #expect(LibraryPages.areReplaced)
  }
}
