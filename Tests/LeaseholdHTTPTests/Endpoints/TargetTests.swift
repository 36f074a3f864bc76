import Testing

@testable import LeaseholdHTTP

@Suite struct TargetTests {
  private func parts(_ text: String) -> (path: String, segment: String, query: String)? {
    withBytes(text) { bytes in
      Target(bytes).map { target in
        (
          "\(target.path.pointee.template)", String(decoding: target.segment, as: UTF8.self),
          String(decoding: target.query, as: UTF8.self)
        )
      }
    }
  }

  static let paths: [(String, String, String)] = [
    ("/", "/", ""), ("/locks", "/locks", ""), ("/leases", "/leases", ""), ("/semaphores", "/semaphores", ""),
    ("/events", "/events", ""), ("/healthz", "/healthz", ""), ("/readyz", "/readyz", ""),
    ("/metrics", "/metrics", ""), ("/version", "/version", ""), ("/openapi.yaml", "/openapi.yaml", ""),
    ("/docs", "/docs", ""), ("/problems/locked", "/problems/{code}", "locked"),
    ("/semaphores/id:7", "/semaphores/{set}", "id:7"), ("/semaphores/0x7/values", "/semaphores/{set}/values", "0x7"),
    ("/semaphores/0x7/op", "/semaphores/{set}/op", "0x7"),
    ("/semaphores/0x7/12", "/semaphores/{set}/{number}", "0x7"),
    ("/semaphores/7/7", "/semaphores/{set}/{number}", "7"), ("/shm", "/shm", ""),
    ("/shm/a%2Fb", "/shm/{var}", "a%2Fb"), ("/segments", "/segments", ""),
    ("/segments/0x7", "/segments/{segment}", "0x7"), ("/segments/id:7/bytes", "/segments/{segment}/bytes", "id:7"),
    ("/locks/a", "/locks/{key}", "a"), ("/locks/a%2Fb", "/locks/{key}", "a%2Fb"),
    ("/locks/a/acquire", "/locks/{key}/acquire", "a"), ("/locks/a/release", "/locks/{key}/release", "a"),
    ("/locks/a/renew", "/locks/{key}/renew", "a"), ("/locks/a/hold", "/locks/{key}/hold", "a"),
    ("/locks/a/convert", "/locks/{key}/convert", "a"), ("/locks/acquire/acquire", "/locks/{key}/acquire", "acquire"),
    ("/locks//acquire", "/locks/{key}/acquire", ""), ("/leases/0f", "/leases/{lease}", "0f"),
    ("/leases/0f/renew", "/leases/{lease}/renew", "0f"), ("/leases/0f/break", "/leases/{lease}/break", "0f"),
    ("/leases/0f/note", "/leases/{lease}/note", "0f"), ("/leases/0f/add", "/leases/{lease}/add", "0f"),
    ("/leases/0f/hold", "/leases/{lease}/hold", "0f"), ("/leases/0f/transfer", "/leases/{lease}/transfer", "0f"),
    ("/locks/locks", "/locks/{key}", "locks"),
    ("/keys/php:1", "/keys/{key}", "php:1"), ("/leases/renew", "/leases/renew", "renew"),
    ("/leases/renew/renew", "/leases/{lease}/renew", "renew"), ("/leases/renewal", "/leases/{lease}", "renewal"),
    ("/terraform/prod", "/terraform/{state}", "prod"), ("/terraform/a%2Fb", "/terraform/{state}", "a%2Fb"),
    ("/ui/locks/a%2Fb", "/ui/locks/{key}", "a%2Fb"),
    ("/ui/owners/ann", "/ui/owners/{owner}", "ann"), ("/ui/locks/locks", "/ui/locks/{key}", "locks"),
  ]

  @Test(arguments: paths)
  func findsThePathAndTheSegment(_ text: String, _ path: String, _ segment: String) throws {
    let found = try #require(parts(text))
    #expect((found.path, found.segment, found.query) == (path, segment, ""))
    let asked = try #require(parts(text + "?a=/b?c"))
    #expect((asked.path, asked.segment, asked.query) == (path, segment, "a=/b?c"))
  }

  @Test(arguments: [("/semaphores/id:7/12?a", "12"), ("/semaphores/7/values", "values"), ("/locks/a", ""), ("/", "")])
  func whatStandsBehindTheSegmentIsTaken(_ text: String, _ last: String) {
    #expect(withBytes(text) { Target($0).map { String(decoding: $0.last, as: UTF8.self) } } == last)
  }

  @Test func everyPathOfTheRowsIsReached() {
    #expect(Set(Self.paths.map(\.1)) == Set(Endpoint.all.map { "\($0.path)" }))
  }

  @Test(arguments: [
    "", "*", "locks", "//", "/ui", "/ui/", "/ui/locks", "/ui/locks/", "/ui//a", "/ui/keys/a", "/ui/locks/a/b",
    "/locks/", "/leases/", "/problems/", "/semaphores/", "/locks/a/", "/locks/a/acquire/",
    "/locks/a/acquire/b", "/locks/a/steal", "/leases/a/acquire", "/semaphores/a/renew",
    "/semaphores//values", "/semaphores/a/", "/semaphores/a/-1", "/semaphores/a/1x",
    "/semaphores/a/1/2", "/semaphores//1", "/semaphores//op", "/Locks", "/locksmith", "/lock",
    "/l%6fcks", "/healthz/", "/healthz/x", "/problems/a/renew", "http://localhost/locks", "?a", "/a/b/c/d/e",
  ])
  func thereIsNothingAt(_ text: String) {
    #expect(parts(text) == nil)
  }

  @Test func everyPrefixOfATargetIsTakenWithoutReadingBeyondIt() {
    let text = Array("/locks/a%2Fb/acquire?ttl=5s".utf8)
    for count in 0...text.count {
      // An exact allocation, so that a reader that goes too far is seen by a sanitizer.
      let copy = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: count)
      defer { copy.deallocate() }
      _ = copy.initialize(from: text[..<count])
      _ = Target(UnsafeBufferPointer(copy))
    }
  }

  @Test(arguments: [
    ("", ""), ("a", "a"), ("a%2Fb", "a/b"), ("%41%42", "AB"), ("%c3%BC", "ü"), ("%00", "\0"), ("a+b", "a+b"),
    ("%2525", "%25"), ("%25", "%"),
  ])
  func percentDecoding(_ text: String, _ decoded: String) {
    #expect(withBytes(text) { percentDecoded($0, plusIsSpace: false) } == Array(decoded.utf8))
  }

  @Test(arguments: ["%", "%4", "a%", "%4g", "%g4", "%%41", "% 41", "%-1", "%+1", "100%"])
  func brokenPercentEncodingIsNone(_ text: String) {
    #expect(withBytes(text) { percentDecoded($0, plusIsSpace: false) } == nil)
    #expect(withBytes(text) { percentDecoded($0, plusIsSpace: true) } == nil)
  }

  @Test func plusIsASpaceOnlyWhereAFormSaysSo() {
    #expect(withBytes("a+b%2B") { percentDecoded($0, plusIsSpace: true) } == Array("a b+".utf8))
  }

  @Test func everyByteSurvivesEncodingAndDecoding() {
    for byte in UInt8.min...UInt8.max {
      let digits = String(byte, radix: 16)
      let text = "%" + (digits.count == 1 ? "0" : "") + digits
      #expect(withBytes(text) { percentDecoded($0, plusIsSpace: true) } == [byte])
      #expect(withBytes(text.uppercased()) { percentDecoded($0, plusIsSpace: false) } == [byte])
    }
  }
}
