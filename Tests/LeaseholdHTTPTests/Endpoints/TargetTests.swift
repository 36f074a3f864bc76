import Testing

@testable import LeaseholdHTTP

@Suite struct TargetTests {
  private func parts(_ text: String) -> (route: Route, segment: String, query: String)? {
    withBytes(text) { bytes in
      Target(bytes).map {
        ($0.route, String(decoding: $0.segment, as: UTF8.self), String(decoding: $0.query, as: UTF8.self))
      }
    }
  }

  static let routes: [(String, Route, String)] = [
    ("/", .index, ""), ("/locks", .locks, ""), ("/leases", .leases, ""), ("/semaphores", .semaphores, ""),
    ("/events", .events, ""),
    ("/healthz", .healthz, ""), ("/readyz", .readyz, ""), ("/metrics", .metrics, ""), ("/version", .version, ""),
    ("/openapi.yaml", .openapi, ""), ("/docs", .docs, ""), ("/problems/locked", .problem, "locked"),
    ("/semaphores/id:7", .semaphoreSet, "id:7"), ("/semaphores/0x7/values", .semaphoreValues, "0x7"),
    ("/semaphores/0x7/op", .semaphoreOp, "0x7"), ("/semaphores/0x7/12", .semaphore, "0x7"),
    ("/semaphores/7/7", .semaphore, "7"),
    ("/semaphores/id:7", .semaphoreSet, "id:7"), ("/shm", .variables, ""), ("/shm/a%2Fb", .variable, "a%2Fb"),
    ("/segments", .segments, ""), ("/segments/0x7", .segment, "0x7"), ("/segments/id:7/bytes", .segmentBytes, "id:7"),
    ("/locks/a", .lock, "a"), ("/locks/a%2Fb", .lock, "a%2Fb"), ("/locks/a/acquire", .acquire, "a"),
    ("/locks/a/release", .release, "a"), ("/locks/a/renew", .renew, "a"), ("/locks/a/hold", .hold, "a"),
    ("/locks/a/convert", .convert, "a"),
    ("/locks/acquire/acquire", .acquire, "acquire"), ("/locks//acquire", .acquire, ""), ("/leases/0f", .lease, "0f"),
    ("/leases/0f/renew", .leaseRenew, "0f"), ("/leases/0f/break", .leaseBreak, "0f"),
    ("/leases/0f/transfer", .leaseTransfer, "0f"), ("/locks/locks", .lock, "locks"), ("/keys/php:1", .key, "php:1"),
  ]

  @Test(arguments: routes)
  func findsTheRouteAndTheSegment(_ text: String, _ route: Route, _ segment: String) throws {
    let found = try #require(parts(text))
    #expect((found.route, found.segment, found.query) == (route, segment, ""))
    let asked = try #require(parts(text + "?a=/b?c"))
    #expect((asked.route, asked.segment, asked.query) == (route, segment, "a=/b?c"))
  }

  @Test(arguments: [("/semaphores/id:7/12?a", "12"), ("/semaphores/7/values", ""), ("/locks/a/hold", "")])
  func theNumberBehindASetIsTaken(_ text: String, _ number: String) {
    #expect(withBytes(text) { Target($0).map { String(decoding: $0.number, as: UTF8.self) } } == number)
  }

  @Test func everyRouteIsReached() {
    #expect(Set(Self.routes.map(\.1)) == Set(Route.allCases))
  }

  @Test(arguments: [
    "", "*", "locks", "//", "/locks/", "/leases/", "/problems/", "/semaphores/", "/locks/a/", "/locks/a/acquire/",
    "/locks/a/acquire/b", "/locks/a/steal", "/leases/a/acquire", "/semaphores/a/renew",
    "/semaphores//values", "/semaphores/a/", "/semaphores/a/-1", "/semaphores/a/1x",
    "/semaphores/a/1/2", "/Locks", "/locksmith", "/lock",
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
