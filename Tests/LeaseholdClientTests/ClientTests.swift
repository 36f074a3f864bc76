import LeaseholdHost
import Testing

@testable import LeaseholdClient

@Suite struct ClientTests {
  private func lock(_ server: ScriptedServer, wait: Duration? = .zero, ttl: Duration = .seconds(60)) -> Lock {
    Lock("deploy", wait: wait, ttl: ttl, client: client(server))
  }

  private func client(_ server: ScriptedServer) -> LeaseholdClient {
    LeaseholdClient(ServiceEndpoint(.unix(path: server.path)))
  }

  private func idempotencyKeys(_ server: ScriptedServer) -> [Substring?] {
    server.asked.map { $0.split(separator: "\r\n").first { $0.hasPrefix("Idempotency-Key: swift-") } }
  }

  @Test func aGrantIsALeaseWithItsFence() async throws {
    let server = ScriptedServer([answer(201, leaseBody("l1", ttl: 60000, fence: 42))])
    var lock = lock(server, wait: .seconds(1.5))
    lock.wants = [.slots("deploy", 5, count: 2)]
    lock.owner = "me"
    let lease = try await lock.acquire()
    #expect((lease.id, lease.fence, lease.keys, lease.keep) == ("l1", 42, ["deploy"], .renewal))
    #expect(
      server.asked[0].hasPrefix("POST /locks/deploy/acquire?limit=5&count=2&ttl=60000ms&wait=1500ms&owner=me HTTP/1.1"))
    #expect(idempotencyKeys(server)[0] != nil)
    #expect("\(lease)" == "lease l1 on deploy" && lease.environment["LEASEHOLD_LEASE"] == "l1")
  }

  @Test func severalLocksAreOneLease() throws {
    let lock = Lock(["a", .shared("b"), .slots("c", 5, count: 2)])
    let request = try Wish(lock).request(.renewal, wait: .zero, holding: ["h"])
    let body = try #require(JSON(request.body?.bytes ?? []))
    #expect(request.target == "/leases")
    #expect(
      "\(body["want"])" == #"[{"key":"a"},{"key":"b","mode":"shared"},{"key":"c","limit":5,"count":2}]"#)
    #expect(body["ttl"].string == "30000ms" && body["holding"].string == "h")
  }

  @Test func aLockThatIsHeldIsAProblemWithItsHolders() async throws {
    let body = #"{"code":"locked","detail":"Lock 'deploy' is held.","holders":[{"ref":"r","owner":"me"}],"waiters":2}"#
    let server = ScriptedServer([answer(423, body)])
    let error = await #expect(throws: ClientError.self) { try await lock(server).acquire() }
    #expect(error?.isBusy == true && error?.kind == .locked)
    #expect(error?.problem?.holders.first?.owner == "me")
  }

  @Test func whoStillHasItWhenTheWaitIsOverIsAWaitTimeout() async throws {
    let body = #"{"code":"locked","detail":"Lock 'deploy' is held."}"#
    let server = ScriptedServer([answer(423, body)])
    let error = await #expect(throws: ClientError.self) { try await lock(server, wait: .milliseconds(1)).acquire() }
    #expect(error?.isBusy == true && error?.kind == .waitTimeout && error?.code == "wait-timeout")
  }

  @Test func anAcquireWhoseAnswerIsLostIsRepeatedWithTheSameKey() async throws {
    let server = ScriptedServer([.hangUp, answer(200, leaseBody("l1", ttl: 60000))])
    #expect(try await lock(server).acquire().id == "l1")
    let keys = idempotencyKeys(server)
    #expect(keys.count == 2 && keys[0] != nil && keys[0] == keys[1])
  }

  @Test func aServiceThatWasAwayForLessIsAskedAgainWithoutTheLeasesThatAreOver() async throws {
    let server = ScriptedServer([
      answer(200, leaseBody("l0", ttl: 60000)), answer(410, #"{"code":"released"}"#), answer(410, "{}"),
      answer(200, leaseBody("l1", ttl: 60000)),
    ])
    var lock = lock(server)
    lock.holding = [try await lock.acquire()]
    #expect(try await lock.acquire().id == "l1")
    #expect(server.asked[1].contains("holding=l0") && server.asked[2].hasPrefix("GET /leases/l0 "))
    #expect(!server.asked[3].contains("holding"))
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

  @Test func aCanceledAcquireTakesBackWhatItsKeyGot() async throws {
    let server = ScriptedServer([.stall, answer(200, "{}")])
    let lock = lock(server, wait: nil)
    let task = Task { try await lock.acquire() }
    try await eventually { !server.asked.isEmpty }
    task.cancel()
    await #expect(throws: ClientError.canceled) { try await task.value }
    #expect(server.asked.last?.hasPrefix("DELETE /leases HTTP/1.1\r\n") == true)
    let keys = idempotencyKeys(server)
    #expect(keys.count == 2 && keys[0] != nil && keys[0] == keys[1])
  }

  @Test func anOlderServiceIsAskedForTheSameLeaseToReleaseIt() async throws {
    let server = ScriptedServer([
      .stall, answer(404, "{}"), answer(200, leaseBody("l1", ttl: 60000)), answer(200, "{}"),
    ])
    let lock = lock(server, wait: nil)
    let task = Task { try await lock.acquire() }
    try await eventually { !server.asked.isEmpty }
    task.cancel()
    await #expect(throws: ClientError.canceled) { try await task.value }
    #expect(server.asked[2].contains("wait=1ms") && server.asked[3].hasPrefix("DELETE /leases/l1 "))
  }

  @Test func theBodyRunsUnderTheLeaseAndTheLeaseIsGivenBack() async throws {
    let server = ScriptedServer([answer(201, leaseBody("l1", ttl: 60000)), answer(200, "{}")])
    let fence = try await lock(server).withLock { $0.fence }
    #expect(fence == 7)
    #expect(server.asked.last?.hasPrefix("DELETE /leases/l1 ") == true)
  }

  @Test func aBodyThatThrowsGivesTheLeaseBackToo() async throws {
    struct Odd: Error {}
    let server = ScriptedServer([answer(201, leaseBody("l1", ttl: 60000)), answer(200, "{}")])
    await #expect(throws: Odd.self) { try await lock(server).withLock { _ in throw Odd() } }
    #expect(server.asked.last?.hasPrefix("DELETE /leases/l1 ") == true)
  }

  @Test func aLostLeaseCancelsTheBodyAndIsTheError() async throws {
    let server = ScriptedServer([
      answer(201, leaseBody("l1", ttl: 300, left: 60000)),
      answer(410, #"{"code":"broken","reason":"broken","break_reason":"host goes down"}"#),
    ])
    let error = await #expect(throws: ClientError.self) {
      try await lock(server, ttl: .milliseconds(300)).withLock { _ in try await Task.sleep(for: .seconds(60)) }
    }
    guard case .leaseLost(let loss)? = error else { throw error ?? .canceled }
    #expect((loss.reason, loss.breakReason, loss.keys) == ("broken", "host goes down", ["deploy"]))
  }

  @Test func aResultIsNotHiddenByALossThatTheCallerIgnores() async throws {
    let server = ScriptedServer([
      answer(201, leaseBody("l1", ttl: 300, left: 60000)), answer(410, #"{"reason":"broken"}"#),
    ])
    var lock = lock(server, ttl: .milliseconds(300))
    lock.ignoresLoss = true
    let loss = try await lock.withLock { await $0.whenLost()?.reason }
    #expect(loss == "broken")
  }

  @Test func aLeaseIsLostAtItsDeadlineOnOurOwnClockWhenNobodyAnswers() async throws {
    let server = ScriptedServer([answer(201, leaseBody("l1", ttl: 300)), .stall, answer(200, "{}")])
    let begun = HostClock.monotonic()
    let lease = try await lock(server, ttl: .milliseconds(300)).acquire()
    let loss = await lease.whenLost()
    #expect(loss?.reason == "deadline" && HostClock.monotonic() - begun >= 299_000_000)
    #expect(!lease.isHeld && lease.remaining == .zero)
    #expect(throws: ClientError.self) { try lease.check() }
    let wasHeld = await lease.release()
    #expect(!wasHeld)
    // The service may have it still.
    #expect(server.asked.last?.hasPrefix("DELETE /leases/l1 ") == true)
  }

  @Test func aServiceThatIsAwayForAMomentDoesNotCostTheLease() async throws {
    // A deadline far off, however slow this machine is; renewals come at a third of the ttl.
    let server = ScriptedServer([
      answer(201, leaseBody("l1", ttl: 300, left: 60000)), .hangUp, .hangUp, answer(200, leaseBody("l1", ttl: 60000)),
      answer(200, leaseBody("l1", ttl: 60000)), answer(200, leaseBody("l1", ttl: 60000)),
    ])
    let done = try await lock(server, ttl: .milliseconds(300)).withLock { _ in
      while server.asked.count < 4 { try await Task.sleep(for: .milliseconds(5)) }
      return true
    }
    #expect(done)
    #expect(server.asked.contains { $0.hasPrefix("DELETE /leases/l1 ") })
  }

  @Test(arguments: [
    (423, "locked", ClientError.Kind.locked), (423, "wait-timeout", .waitTimeout), (409, "deadlock", .deadlock),
    (410, "broken", .leaseLost), (404, "no-such-lease", .leaseLost), (404, "no-such-lock", .invalid),
    (401, "unauthorized", .denied), (403, "forbidden", .denied), (429, "too-many-waiters", .unavailable),
    (503, "draining", .unavailable), (507, "no-space", .kernelLimit), (400, "bad-key", .invalid), (500, "x", .other),
  ])
  func anErrorIsOfAKind(status: Int, code: String, kind: ClientError.Kind) {
    let problem = Problem(status: status, body: Array(#"{"code":"\#(code)","request_id":"r"}"#.utf8))
    let error = ClientError.problem(problem)
    #expect((error.kind, error.code, error.status, error.requestID) == (kind, code, status, "r"))
  }

  @Test func aCircleOfOneIsAlreadyHeld() {
    let problem = Problem(status: 409, body: Array(#"{"code":"deadlock","circle":[{"you":true}]}"#.utf8))
    #expect(ClientError.problem(problem).kind == .alreadyHeld)
  }

  @Test(arguments: [
    Lock(""), Lock([]), Lock("a", ttl: .zero), Lock("a", ttl: .seconds(-1)), Lock("a", wait: .seconds(-1)),
    Lock("a", shared: true, slots: 2), Lock("a", slots: 0), Lock("a", slots: 2, count: 40000),
    Lock(Array(repeating: "a", count: 33)), Lock([.slots("a", named: ["b,c"])]), Lock([.slots("a", named: [""])]),
  ])
  func whatCannotBeWantedIsRefusedBeforeAnythingIsSent(lock: Lock) async {
    let server = ScriptedServer([])
    var named = lock
    named.client = client(server)
    let wanted = named
    let error = await #expect(throws: ClientError.self) { try await wanted.acquire() }
    #expect(error?.kind == .invalid && server.asked.isEmpty)
  }

  @Test(arguments: [("connection", Binding.connection), ("pid:7", .process(7)), ("pid:x", .other("pid:x"))])
  func aBindingIsReadAndWrittenAsItWas(text: String, binding: Binding) {
    #expect(Binding(text) == binding && binding.text == text)
  }
}
