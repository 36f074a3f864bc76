import Testing

@testable import LeaseholdHTTP

@Suite struct DurationsTests {
  private func place(_ operation: StaticString) -> Int {
    Endpoint.all.firstIndex { "\($0.operation)" == "\(operation)" } ?? -1
  }

  @Test func aDurationCountsBelowTheFirstBoundThatItDoesNotExceed() {
    let last = RequestCounts.bounds.count
    let rows = RequestCounts.bounds.enumerated().flatMap { [($1, $0), ($1 + 1, $0 + 1)] }
    for (nanoseconds, expected) in rows + [(0, 0), (1, 0), (.max, last)] {
      let counts = RequestCounts()
      counts.count(Endpoint.all[0].number, status: 200, nanoseconds: nanoseconds)
      let durations = counts.durations(operation: 0, column: 0)
      #expect(durations?.counts.firstIndex(of: 1) == expected, "\(nanoseconds) ns")
      #expect(durations?.sum == nanoseconds && durations?.counts.reduce(0, +) == 1)
    }
  }

  @Test func aRequestIsInTheCountOfItsPairAloneWhetherTimedOrNot() {
    let counts = RequestCounts()
    counts.count(Endpoint.all[3].number, status: 201, nanoseconds: 5)
    counts.count(Endpoint.all[3].number, status: 304)
    counts.count(Endpoint.all[3].number, status: 409, nanoseconds: 7)
    counts.count(nil, status: 404)
    #expect(counts.value(operation: 3, column: 0) == 2 && counts.value(operation: 3, column: 1) == 1)
    #expect(counts.value(operation: nil, column: 1) == 1)
    let all = (0..<Endpoint.all.count).reduce(0) { sum, row in
      sum + (0..<RequestCounts.classes).reduce(0) { $0 + counts.value(operation: row, column: $1) }
    }
    #expect(all == 3)
    #expect(counts.durations(operation: 3, column: 0)?.sum == 5)
    #expect(counts.durations(operation: 3, column: 2) == nil && counts.durations(operation: 2, column: 0) == nil)
  }

  @Test func whatIsAnsweredAtOnceIsTimedByItsStatus() throws {
    let scene = try ServerScene(.grant)
    for _ in 0..<3 { _ = scene.answer("POST", "/locks/a/acquire") }
    _ = scene.answer("POST", "/locks/a/acquire?nope=1")
    let durations = (0..<RequestCounts.classes).map {
      scene.server.counts.durations(operation: place("acquireLock"), column: $0)
    }
    #expect(durations[0]?.counts.reduce(0, +) == 3 && durations[1]?.counts.reduce(0, +) == 1 && durations[2] == nil)
    for sum in [durations[0]?.sum ?? 0, durations[1]?.sum ?? 0] { #expect((1...60_000_000_000).contains(sum)) }
  }

  @Test func aRequestThatHadToWaitIsCountedButNotTimed() throws {
    let scene = try ServerScene()
    let client = scene.client().request("POST", "/locks/a/acquire?wait=60s")
    let waiter = try scene.waiter()
    #expect(scene.server.counts.value(operation: place("acquireLock"), column: 0) == 0, "not before it is answered")
    waiter.granted(try scene.lease)
    #expect(client.answer()?.status == 201)
    #expect(scene.server.counts.value(operation: place("acquireLock"), column: 0) == 1)
    #expect(scene.server.counts.durations(operation: place("acquireLock"), column: 0)?.sum == nil)
  }

  @Test func anOpenAnswerIsTimedToItsBeginning() throws {
    let scene = try ServerScene(.grant)
    let client = scene.client().request("POST", "/locks/a/hold")
    #expect(client.answer(head: true)?.status == 201)
    #expect(scene.server.counts.durations(operation: place("holdLock"), column: 0)?.counts.reduce(0, +) == 1)
    #expect(scene.server.holds.count == 1)
  }

  @Test func theTextAddsTheBucketsUp() throws {
    let scene = try ServerScene(.grant)
    for _ in 0..<2 { _ = scene.answer("GET", "/healthz") }
    let text = scene.answer("GET", "/metrics").body
    let pair = "leasehold_http_request_duration_seconds_bucket{operation=\"health\",status=\"2xx\",le=\""
    let lines = text.split(separator: "\n").filter { $0.hasPrefix(pair) }
    #expect(lines.count == RequestCounts.bounds.count + 1 && lines.last == pair + "+Inf\"} 2")
    #expect(lines.first?.hasPrefix(pair + "1.5625e-05\"} ") == true)
    #expect(lines.contains { $0.hasPrefix(pair + "0.001\"} ") } && lines.contains { $0.hasPrefix(pair + "4.096\"} ") })
    let values = lines.compactMap { line in line.split(separator: " ").last.flatMap { Int($0) } }
    #expect(values == values.sorted() && values.count == lines.count)
    #expect(text.contains("\nleasehold_http_request_duration_seconds_count{operation=\"health\",status=\"2xx\"} 2\n"))
  }
}
