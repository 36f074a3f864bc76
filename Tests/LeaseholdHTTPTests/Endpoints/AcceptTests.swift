import Leasehold
import Testing

@testable import LeaseholdHTTP

/// What a caller wants back, asked of a live server: the negotiation reads a request's headers in place.
@Suite struct AcceptTests {
  static let headers: [(accept: String?, takesJSON: Bool, prefersText: Bool)] = [
    (nil, true, false), ("*/*", true, false), ("application/json", true, false), ("APPLICATION/JSON", true, false),
    ("application/*", true, false), ("application/problem+json", true, false), ("application/x-ndjson", true, false),
    ("text/plain", false, true), ("text/*", false, true), ("Text/Plain; charset=utf-8", false, true),
    ("text/html", false, false), ("image/png, */*;q=0.1", true, false), ("text/plain, application/json", true, false),
    ("application/json;q=0.5, text/plain", true, true), ("application/json;q=0.5, text/plain;q=0.5", true, false),
    ("text/plain;q=0.4, */*;q=0.5", true, false), ("text/plain , */* ; q=0.1", true, true),
    ("application/json;q=0", false, false), ("application/json;q=0, text/plain;q=0.001", false, true),
    ("application/json;q=2", true, false), ("application/json;q=x", true, false), ("text/plain;q=nan", false, true),
    (";,;q=1,,", false, false), ("application/json;version=1;q=0.2, text/plain;q=0.3", true, true),
  ]

  private func headers(_ accept: String?) -> String { accept.map { "Accept: \($0)" } ?? "X-None: 1" }

  @Test func errorsComeInTheFormThatIsPreferred() throws {
    let scene = try ServerScene()
    for (accept, _, prefersText) in Self.headers {
      let answer = scene.answer("GET", "/nothing", headers(accept))
      let type = prefersText ? "text/plain; charset=utf-8" : "application/problem+json"
      #expect(answer.status == 404 && answer.headers["content-type"] == type, "\(accept ?? "none")")
      #expect(answer.body.hasPrefix(prefersText ? "not-found: " : "{\"type\":"))
    }
  }

  @Test func anAnswerThatIsOnlyJSONIsRefusedToWhoDoesNotTakeIt() throws {
    let scene = try ServerScene()
    for (accept, takesJSON, _) in Self.headers {
      #expect(scene.answer("GET", "/healthz", headers(accept)).status == (takesJSON ? 200 : 406), "\(accept ?? "none")")
    }
    #expect(scene.answer("GET", "/metrics", "Accept: text/plain").status == 200)
    #expect(scene.answer("GET", "/openapi.yaml", "Accept: application/yaml").status == 200)
  }

  @Test func aGrantComesAsTextWhereThatIsPreferredOrAskedFor() throws {
    let scene = try ServerScene(.grant)
    for (accept, takesJSON, prefersText) in Self.headers {
      let answer = scene.answer("POST", "/locks/a/acquire", headers(accept))
      #expect(answer.status == (takesJSON || prefersText ? 201 : 406), "\(accept ?? "none")")
      if prefersText { #expect(answer.body == LeaseSnapshot.sampleID.text + "\n") }
      if takesJSON, !prefersText { #expect(answer.body.hasPrefix("{\"lease\":\"\(LeaseSnapshot.sampleID.text)\"")) }
    }
    let granted = Self.headers.count { $0.takesJSON || $0.prefersText }
    #expect(scene.service.heard.requests.count == granted, "what cannot be answered takes nothing")
    let text = scene.answer("POST", "/locks/a/acquire?format=text", "Accept: application/json")
    #expect(
      text.body == LeaseSnapshot.sampleID.text + "\n" && text.headers["content-type"] == "text/plain; charset=utf-8")
    let json = scene.answer("POST", "/locks/a/acquire?format=json", "Accept: text/plain")
    #expect(json.body.hasPrefix("{") && json.headers["location"] == "/leases/" + LeaseSnapshot.sampleID.text)
    #expect(scene.answer("POST", "/locks/a/acquire?format=xml").body.contains("\"allowed\":[\"json\",\"text\"]"))
  }

  @Test(arguments: [
    ("application/json", "{\"ttl\":\"5s\"}", 201), ("Application/JSON ; charset=utf-8", "{\"ttl\":\"5s\"}", 201),
    ("application/x-www-form-urlencoded", "ttl=5s", 201), ("text/plain", "ttl=5s", 415), ("", "{}", 415),
    ("application/json", "ttl=5s", 400), ("application/x-www-form-urlencoded", "{\"ttl\":5}", 201),
    ("application/x-www-form-urlencoded", " \r\n{\"ttl\":5.0}\n", 201),
    ("multipart/form-data", "", 201),
  ])
  func aBodyIsReadByItsType(_ type: String, _ body: String, _ status: Int) throws {
    let scene = try ServerScene(.grant)
    #expect(scene.answer("POST", "/locks/a/acquire", "Content-Type: \(type)", body: body).status == status)
    if status == 201, !body.isEmpty { #expect(scene.service.heard.requests.first?.ttl == .seconds(5)) }
  }
}
