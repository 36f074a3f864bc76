import Glibc
import Testing

@testable import HTTPExchange
@testable import LeaseholdClient

@Suite struct WireTests {
  @Test(arguments: [
    ("unix:/run/leasehold/leasehold.sock", ServiceAddress.unix(path: "/run/leasehold/leasehold.sock")),
    ("unix:///run/x", .unix(path: "/run/x")),
    ("http://127.0.0.1:31818", .tcp(host: "127.0.0.1", port: 31818)),
    ("http://localhost:4000/", .tcp(host: "localhost", port: 4000)),
    ("127.0.0.1:9", .tcp(host: "127.0.0.1", port: 9)),
    ("localhost", .tcp(host: "localhost", port: 31818)),
    ("http://[::1]:80", .tcp(host: "::1", port: 80)),
    ("https://locks.example:4000/", .tls(host: "locks.example", port: 4000)),
    ("https://[::1]", .tls(host: "::1", port: 31818)),
  ])
  func anAddressIsReadInEverySpelling(url: String, address: ServiceAddress) {
    #expect(ServiceAddress(url) == address)
    #expect(ServiceAddress("\(address)") == address)
  }

  @Test(arguments: [
    "", "unix:", "unix:relative", "https://", "https://a:0", "ftp://x", "http://", "http://a:0", "http://a:99999",
    "a/b", "x y",
  ])
  func whatIsNoAddressIsRefused(url: String) {
    #expect(ServiceAddress(url) == nil)
  }

  @Test func aRequestIsEncodedAndHasNoLineEndsOfTheCallers() {
    var request = Request("POST", ["locks", "a/b c%", "acquire"], query: [("owner", "me & you"), ("ttl", "30s")])
    request.headers = [(name: "X-A", value: "1\r\nX-B: 2")]
    let endpoint = ServiceEndpoint(.tcp(host: "::1", port: 5), token: "t")
    #expect(
      String(decoding: request.bytes(to: endpoint), as: UTF8.self) == """
        POST /locks/a%2Fb%20c%25/acquire?owner=me%20%26%20you&ttl=30s HTTP/1.1\r
        Host: [::1]:5\r
        Authorization: Bearer t\r
        X-A: 1X-B: 2\r
        Content-Length: 0\r
        \r

        """)
  }

  @Test func theTraceOfAnEndpointGoesWithRequestsThatHaveNoneOfTheirOwn() {
    var endpoint = ServiceEndpoint()
    endpoint.traceparent = "00-1-2-01"
    var request = Request("GET", ["locks"])
    #expect(String(decoding: request.bytes(to: endpoint), as: UTF8.self).contains("\r\ntraceparent: 00-1-2-01\r\n"))
    request.headers = [(name: "Traceparent", value: "00-3-4-01")]
    let text = String(decoding: request.bytes(to: endpoint), as: UTF8.self)
    #expect(text.contains("Traceparent: 00-3-4-01"))
    #expect(!text.contains("00-1-2-01"))
  }

  @Test func jsonIsReadAndWrittenAsItWas() {
    let text = #"{"a":[1,2.50,true,null],"b":{"c":"\u00e9\"\\"},"n":9007199254740993}"#
    let json = JSON(Array(text.utf8))
    #expect(json?["n"].int == 9_007_199_254_740_993)
    #expect(json?["b"]["c"].string == "é\"\\")
    #expect(json?["a"].elements.count == 4)
    #expect(json?["none"] == .null)
    #expect(json.map(\.description) == text.replacing("\\u00e9", with: "é"))
    #expect(JSON(Array("{\"a\":1} x".utf8)) == nil)
    #expect(JSON(Array(String(repeating: "[", count: 1000).utf8)) == nil)
  }

  @Test func anAnswerComesByLengthInChunksOrToTheEnd() throws {
    let server = ScriptedServer([
      .send(["HTTP/1.1 200 OK\r\nContent-Le", "ngth: 4\r\n\r\nab", "cd"]),
      .send([
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        "1;x\r\nd\r\n0\r\n\r\n",
      ]),
      .send(["HTTP/1.1 404 Not Found\r\nX-A:  b \r\n\r\nrest"]), .hangUp,
    ])
    let connection = LeaseholdConnection(ServiceEndpoint(.unix(path: server.path)))
    for _ in 0..<2 {
      let response = try connection.send(Request("GET", ["x"]))
      #expect(response.status == 200)
      #expect(response.body == Array("abcd".utf8))
    }
  }

  @Test(arguments: [
    "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab\ncd",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
      + "1\r\na\r\n3;x\r\nb\nc\r\n0\r\nX: y\r\n\r\n",
    "HTTP/1.1 200 OK\r\n\r\nab\nc",
  ])
  func anAnswerIsReadHoweverItComesApart(text: String) throws {
    var parser = AnswerParser()
    var (isHead, lines, isOver) = (false, [[UInt8]](), false)
    for byte in Array(text.utf8).map({ [$0] }) + [[]] {
      // A connection may end behind an answer that is whole.
      if isOver { break }
      try parser.take(byte)
      if !isHead { isHead = try parser.head() != nil }
      while isHead, let line = try parser.line(bytesMax: 100) {
        guard let line else {
          isOver = true
          break
        }
        lines.append(line)
      }
    }
    #expect(parser.status == 200 && isOver && lines == [Array("ab".utf8)])
  }

  @Test func anAnswerThatIsCutOffIsNone() throws {
    var parser = AnswerParser()
    try parser.take(Array("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab".utf8))
    _ = try parser.head()
    #expect(try parser.wholeBody() == nil)
    #expect(throws: HTTPFailure.system(ECONNRESET)) { try parser.take([]) }
  }

  @Test(arguments: ["nonsense\r\n\r\n", "HTTP/1.1 x\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"])
  func whatIsNoHTTPIsSaidSo(text: String) {
    let server = ScriptedServer([.send([text])])
    let connection = LeaseholdConnection(ServiceEndpoint(.unix(path: server.path)))
    #expect(throws: ClientError.malformed("an answer that is not HTTP")) { try connection.send(Request("GET", ["x"])) }
  }

  @Test func aConnectionThatWasClosedMeanwhileIsMadeAnew() throws {
    let server = ScriptedServer([answer(200, "{}", "X: 1\r\n"), .hangUp, answer(200, "{\"a\":1}")])
    let connection = LeaseholdConnection(ServiceEndpoint(.unix(path: server.path)))
    _ = try connection.send(Request("GET", ["x"]))
    #expect(try connection.send(Request("GET", ["y"])).json["a"].int == 1)
    #expect(server.asked.count == 3)
  }

  @Test func aServiceThatIsNotThereIsNamed() {
    let connection = LeaseholdConnection(ServiceEndpoint(.unix(path: "/nonexistent/socket")))
    let error = #expect(throws: ClientError.self) { try connection.send(Request("GET", [])) }
    #expect(error == .unreachable(.unix(path: "/nonexistent/socket"), reason: "No such file or directory"))
    #expect("\(error as Any)".contains("leasehold serve"))
  }

  @Test func anAnswerThatDoesNotComeInTimeIsGivenUp() {
    let server = ScriptedServer([.stall])
    let connection = LeaseholdConnection(ServiceEndpoint(.unix(path: server.path)))
    var request = Request("GET", [])
    request.timeout = .milliseconds(20)
    #expect(throws: ClientError.timedOut(.unix(path: server.path))) { try connection.send(request) }
  }

  @Test func anAnswerThatComesTooLateIsNoAnswerToTheNextRequest() throws {
    let server = ScriptedServer([answer(200, "1"), .stall, answer(200, "3")])
    let connection = LeaseholdConnection(ServiceEndpoint(.unix(path: server.path)))
    var request = Request("GET", ["x"])
    #expect(try connection.send(request).body == Array("1".utf8))
    request.timeout = .milliseconds(50)
    let error = #expect(throws: ClientError.self) { try connection.send(request) }
    #expect(error == .timedOut(.unix(path: server.path)))
    request.timeout = .seconds(15)
    #expect(try connection.send(request).body == Array("3".utf8))
  }

  @Test func aNameThatNoHostHasIsSaidToBeSo() {
    let connection = LeaseholdConnection(ServiceEndpoint(.tcp(host: "no-such-host.invalid", port: 1)))
    let error = #expect(throws: ClientError.self) { try connection.send(Request("GET", ["x"])) }
    // Where no name server answers, nobody knows.
    let address = connection.endpoint.address
    let isUnknown = error?.description.contains("the name cannot be resolved: ") ?? false
    #expect(isUnknown || error == .timedOut(address))
  }
}
