import LeaseholdHost
import Testing

@testable import LeaseholdClient

@Suite struct ClientTests {
  private func client(_ server: ScriptedServer) -> LeaseholdClient {
    LeaseholdClient(ServiceEndpoint(.unix(path: server.path)))
  }

  @Test func aGrantIsALeaseWithItsFence() async throws {
    let server = ScriptedServer([answer(201, leaseBody("l1", ttl: 60000, fence: 42, now: HostClock.monotonic()))])
    var options = LeaseOptions()
    options.limit = 5
    options.wait = .seconds(1.5)
    options.label = "me"
    let lease = try await client(server).acquire("deploy", options)
    #expect((lease.id, lease.fence, lease.ttl, lease.keys) == ("l1", 42, .seconds(60), ["deploy"]))
    #expect(server.asked[0].hasPrefix("POST /locks/deploy/acquire?limit=5&wait=1500ms&owner=me HTTP/1.1\r\n"))
    #expect(server.asked[0].contains("\r\nIdempotency-Key: swift-"))
  }

  @Test func aLockThatIsHeldIsAProblemWithAllItsMembers() async throws {
    let body = #"{"code":"locked","detail":"Lock 'deploy' is held.","holders":[{"owner":"me"}],"waiters":2}"#
    let server = ScriptedServer([answer(423, body)])
    let error = await #expect(throws: ClientError.self) { try await client(server).acquire("deploy") }
    #expect(error?.isBusy == true)
    #expect(error?.problem?.code == "locked")
    #expect(error?.problem?.members["holders"].elements.first?["owner"].string == "me")
  }

  @Test func anAcquireWhoseAnswerIsLostIsRepeatedWithTheSameKey() async throws {
    let server = ScriptedServer([.hangUp, answer(200, leaseBody("l1", ttl: 60000, now: HostClock.monotonic()))])
    #expect(try await client(server).acquire("deploy").id == "l1")
    let keys = server.asked.map { $0.split(separator: "\r\n").first { $0.hasPrefix("Idempotency-Key") } }
    #expect(keys.count == 2 && keys[0] != nil && keys[0] == keys[1])
  }

  @Test func allPagesOfAListAreRead() async throws {
    let server = ScriptedServer([
      answer(200, #"{"locks":[{"key":"a","held":1}],"next_cursor":"n"}"#),
      answer(200, #"{"locks":[{"key":"b","waiting":2}],"next_cursor":null}"#),
    ])
    let locks = try await client(server).locks()
    #expect(locks.map(\.key) == ["a", "b"])
    #expect((locks[0].held, locks[1].waiting) == (1, 2))
    #expect(server.asked[1].hasPrefix("GET /locks?limit=1000&cursor=n HTTP/1.1"))
  }

  @Test func aCanceledRequestLeavesTheQueue() async throws {
    let server = ScriptedServer([.stall])
    let client = client(server)
    let task = Task { try await client.acquire("deploy") }
    while server.asked.isEmpty { await Task.yield() }
    task.cancel()
    await #expect(throws: ClientError.canceled) { try await task.value }
  }

  @Test func theBodyRunsUnderTheLeaseAndTheLeaseIsGivenBack() async throws {
    let server = ScriptedServer([
      answer(201, leaseBody("l1", ttl: 60000, now: HostClock.monotonic())), answer(200, "{}"),
    ])
    let fence = try await client(server).withLease("deploy") { $0.fence }
    #expect(fence == 7)
    #expect(server.asked.last?.hasPrefix("DELETE /leases/l1 ") == true)
  }

  @Test func aBodyThatThrowsGivesTheLeaseBackToo() async throws {
    struct Odd: Error {}
    let server = ScriptedServer([
      answer(201, leaseBody("l1", ttl: 60000, now: HostClock.monotonic())), answer(200, "{}"),
    ])
    await #expect(throws: Odd.self) { try await client(server).withLease("deploy") { _ in throw Odd() } }
    #expect(server.asked.last?.hasPrefix("DELETE /leases/l1 ") == true)
  }

  @Test func aLostLeaseCancelsTheBodyAndIsTheError() async throws {
    let server = ScriptedServer([
      answer(201, leaseBody("l1", ttl: 30, now: HostClock.monotonic())),
      answer(410, #"{"code":"broken","detail":"An operator broke it."}"#), answer(410, "{}"),
    ])
    let error = await #expect(throws: ClientError.self) {
      try await client(server).withLease("deploy") { _ in try await Task.sleep(for: .seconds(60)) }
    }
    #expect(error == .leaseLost(reason: "An operator broke it."))
  }

  @Test func aServiceThatIsAwayForAMomentDoesNotCostTheLease() async throws {
    // A deadline far off, however slow this machine is; renewals come at a third of the ttl.
    let now = HostClock.monotonic() + 60_000_000_000
    let server = ScriptedServer([
      answer(201, leaseBody("l1", ttl: 300, now: now)), .hangUp, .hangUp,
      answer(200, leaseBody("l1", ttl: 60000, now: now)), answer(200, "{}"),
    ])
    let client = client(server)
    let done = try await client.withLease("deploy") { _ in
      while server.asked.count < 4 { try await Task.sleep(for: .milliseconds(5)) }
      return true
    }
    #expect(done)
    #expect(server.asked.last?.hasPrefix("DELETE") == true)
  }
}
