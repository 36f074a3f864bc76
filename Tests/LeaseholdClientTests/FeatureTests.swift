import Glibc
import LeaseholdHost
import Testing

@testable import LeaseholdClient

/// What a lock can be asked for besides, and what a living lease can, by the daemon itself.
@Suite(.serialized) struct FeatureTests {
  private let daemon: Daemon
  private let client: LeaseholdClient

  init() throws {
    daemon = try Daemon(["--port", "0", "--heartbeat", "200ms"])
    client = try LeaseholdClient("unix:\(daemon.socket)")
  }

  private func lock(_ keep: Keep, _ want: Want = "a") -> Lock {
    var lock = Lock([want], ttl: keep == .renewal ? .milliseconds(600) : nil, client: client)
    lock.keep = keep
    return lock
  }

  private func holder(_ key: String = "a") async throws -> JSON {
    try #require(try await client.lock(key).holders.first).json
  }

  @Test func allIsSaidToTheService() async throws {
    var lock = lock(.auto, .slots("a", named: ["x", "y"], slot: ["y"]))
    (lock.cooldown, lock.holdAtLeast) = (.seconds(5), .milliseconds(1))
    (lock.newest, lock.owner, lock.note) = ("web", "ann", "begins")
    let lease = try await lock.acquire()
    let seen = try await holder()
    #expect(seen["slots"].elements.compactMap(\.string) == ["y"])
    #expect(["newest", "owner", "note"].map { seen[$0].string } == ["web", "ann", "begins"])
    try await client.end(lease: lease.ref)
    try await eventually { try await client.lock("a").json["cooling"].int == 1 }
    lock.holdAtLeast = .seconds(-1)
    let wrong = lock
    let error = await #expect(throws: ClientError.self) { try await wrong.acquire() }
    #expect(error?.kind == .invalid)
  }

  @Test func aLockGetsAnotherNumberOfSlots() async throws {
    let lease = try await Lock("a", slots: 1, client: client).acquire()
    #expect(try await client.resize("a", to: 3).limit == 3)
    await lease.release()
    #expect(try await client.resize("a", to: 0).json["paused"].bool == true)
    let error = await #expect(throws: ClientError.self) {
      try await Lock("a", wait: .zero, slots: 3, client: client).acquire()
    }
    #expect(error?.kind == .locked)
    #expect(try await client.resize("a", to: 2, isPinned: true).json["pinned"].bool == true)
    try await Lock("a", slots: 9, client: client).withLock { _ in }
    _ = try await lock(.auto, .slots("b", named: ["x", "y"])).acquire()
    let names = try await client.resize("b", named: ["x", "y", "z"]).json["slots"].elements
    #expect(names.compactMap(\.string) == ["x", "y", "z"])
  }

  @Test(arguments: [Keep.process, .stream, .renewal]) func aLockIsAddedToALivingLease(keep: Keep) async throws {
    let lease = try await lock(keep).acquire()
    let other = try await lock(keep, "taken").acquire()
    for _ in 1...2 {  // the second changes nothing
      try await lease.add(["b", .slots("c", named: ["x", "y"], slot: ["y"])])
    }
    #expect(lease.locks.map(\.key) == ["a", "b", "c"] && lease.locks[2].slots == ["y"])
    #expect(lease.locks[0].fence == lease.fence && lease.locks[1].fence > lease.fence)
    #expect(lease.environment["LEASEHOLD_LOCK"] == "a\nb\nc" && lease.environment["LEASEHOLD_SLOT"] == "y")
    for (want, kind) in [("taken", ClientError.Kind.locked), ("sysv:0x5150.0", .invalid), ("", .invalid)] {
      let error = await #expect(throws: ClientError.self) { try await lease.add([Want(want)]) }
      #expect(error?.kind == kind)
    }
    try lease.check()
    #expect(await lease.release())
    try await eventually { try await client.leases(prefix: "c").isEmpty }
    try await client.end(lease: other.ref)
    let error = await #expect(throws: ClientError.self) { try await other.add(["d"]) }
    #expect(error?.kind == .leaseLost)
  }

  @Test func itStaysTakenUntilAnEarlyRelease() async throws {
    var lock = lock(.auto)
    lock.holdAtLeast = .seconds(3600)
    let lease = try await lock.acquire()
    let until = lease.keptUntil
    #expect(until?.hasSuffix("Z") == true)
    let wasHeld = await (lease.release(), lease.release())
    #expect(wasHeld == (true, false) && lease.keptUntil == until)
    #expect(try await holder()["state"].string == "kept")
    #expect(await !lease.release(early: true))
    #expect(lease.keptUntil == nil)
    let again = try await lock.acquire()
    #expect(await again.release(early: true))
    try await Lock("a", wait: .zero, client: client).withLock { #expect($0.keptUntil == nil) }
  }

  @Test func aNoteIsShownByItselfAndWithARenewal() async throws {
    let lease = try await lock(.renewal).acquire()
    try await lease.note("größer & mehr")
    #expect(try await holder()["note"].string == "größer & mehr")
    try await lease.renew(note: "step 2")
    #expect(try await holder()["note"].string == "step 2")
    try await client.end(lease: lease.ref)
    let error = await #expect(throws: ClientError.self) { try await lease.note("over") }
    #expect(error?.kind == .leaseLost)
  }

  @Test(arguments: [Keep.process, .stream, .renewal])
  func theNewestOfAGroupIsWaitedForAndTheHolderIsAskedToYield(keep: Keep) async throws {
    var wanted = lock(keep)
    wanted.newest = "web"
    let lock = wanted
    let lease = try await lock.acquire()
    #expect(!lease.isAskedToYield)
    let older = Task { try await lock.acquire() }
    #expect(await lease.whenAskedToYield())
    let newer = Task { try await lock.acquire() }
    let error = await #expect(throws: ClientError.self) { try await older.value }
    #expect(error?.kind == .superseded)
    #expect(lease.isHeld)
    #expect(await lease.release())
    let next = try await newer.value
    let asked = Task { await next.whenAskedToYield() }
    #expect(await next.release())
    #expect(await !asked.value)
  }

  @Test func itsProcessIsToBeStoppedBeforeItGoesOn() async throws {
    var lock = lock(.auto)
    (lock.maxHold, lock.stopGrace) = (.seconds(3600), .seconds(1))
    let lease = try await lock.acquire()
    let seen = try await holder()
    #expect(seen["stop"].string == "term" && seen["grace_ms"].int == 1000)
    await lease.release()
  }

  @Test func aSetOfSemaphoresIsMade() async throws {
    let key = "sysv:0x4c41\(Int.random(in: 1000...9999)).0"
    let lease = try await lock(.auto, .creating(key, value: 2)).acquire()
    #expect(try await client.lock(key).json["sysv"]["value"].int == 1)
    #expect(await lease.release())
    let set = String(key.dropFirst(5).dropLast(2))
    _ = try await client.send(Request("DELETE", ["semaphores", set]))
  }

  @Test func severalAreRenewedInOneRequestAndEachLossIsTold() async throws {
    let wanted = (0..<5).map { Lock("many/\($0)", ttl: .milliseconds(1200), client: client) }
    var leases: [Lease] = []
    for lock in wanted { leases.append(try await lock.acquire()) }
    try await client.end(lease: leases[4].ref, because: "test")
    try await eventually { try await renewalsTogether() >= 3 }
    #expect(await leases[4].whenLost()?.reason == "broken")
    let held = leases.filter(\.isHeld).count
    #expect(held == 4)
  }

  /// The number of requests that renewed several.
  private func renewalsTogether() async throws -> Int {
    let text = String(decoding: try await client.send(Request("GET", ["metrics"])).body, as: UTF8.self)
    return text.split(separator: "\n").filter { $0.hasPrefix("leasehold_http_requests_total") }
      .filter { $0.contains("\"renewLeases\"") }.compactMap { $0.split(separator: " ").last.flatMap { Int($0) } }
      .reduce(0, +)
  }

  @Test func itEndsWithTheCgroup() async throws {
    // These tests run in a cgroup with others, so nothing can be seen to end here: the service says what it binds to.
    var lock = lock(.cgroup)
    lock.wait = .zero
    do {
      let lease = try await lock.acquire()
      #expect(lease.keep == .cgroup && lease.remaining == nil)
      #expect(try await holder()["bind"].string == "cgroup")
      await lease.release()
    } catch let error as ClientError {
      // The root cgroup, or none at all.
      #expect(error.code == "no-such-process")
    }
  }

  @Test func eventsOfAServiceThatAsksNobodyToYieldAreFollowed() async throws {
    let grant = #"{"lease":"0123456789abcdef0123456789abcdef","ref":"0123456789","key":"a","fence":1,"ttl_ms":0}"#
    let head = "HTTP/1.1 201 Created\r\nConnection: close\r\nContent-Length: \(grant.utf8.count)\r\n\r\n"
    let unknown = "HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\n{}"
    let server = ScriptedServer([.send([head + grant]), .send([unknown])] + Array(repeating: .hangUp, count: 50))
    let lease = try await Lock("a", client: try LeaseholdClient("unix:\(server.path)")).acquire()
    try await eventually { server.asked.contains { $0.hasPrefix("GET /events?") && !$0.contains("yield") } }
    #expect(lease.isHeld)
  }

  @Test func anEngineThatBindsToNoProcessIsAskedForAStream() async throws {
    let body = #"{"code":"not-supported","detail":"words"}"#
    let head = "HTTP/1.1 501 X\r\nConnection: close\r\nContent-Length: \(body.utf8.count)\r\n\r\n"
    let server = ScriptedServer([.send([head + body]), .send([head + body])])
    let client = try LeaseholdClient("unix:\(server.path)")
    let error = await #expect(throws: ClientError.self) { try await Lock("a", client: client).acquire() }
    #expect(error?.status == 501)
    #expect(server.asked.map { $0.contains("/hold?") } == [false, true])
  }

  @Test func whatAServiceCannotDoIsAnError() async throws {
    for (status, code, kind) in [(400, "unknown-parameter", ClientError.Kind.invalid), (501, "not-supported", .other)] {
      let body = #"{"code":"\#(code)","detail":"words","parameter":"newest"}"#
      let head = "HTTP/1.1 \(status) X\r\nContent-Length: \(body.utf8.count)\r\n\r\n"
      let server = ScriptedServer([.send([head + body])])
      var lock = Lock("a", ttl: .seconds(5), client: try LeaseholdClient("unix:\(server.path)"))
      lock.newest = "web"
      let wanted = lock
      let error = await #expect(throws: ClientError.self) { try await wanted.acquire() }
      #expect(error?.kind == kind && error?.status == status && error?.problem?.detail == "words")
    }
  }
}
