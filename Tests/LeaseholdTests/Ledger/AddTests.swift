import Leasehold
import LeaseholdTestKit
import Testing

/// More locks for a lease that is held.
@Suite struct AddTests {
  private let scene = Scene()

  private func keys(_ who: String) throws -> [String] {
    let id = try #require(scene.leases[who]?.id)
    return try scene.ledger.lease(id).parts.map(\.key.text)
  }

  @Test func locksAreAddedAndTheLeaseStaysWhatItWas() throws {
    scene.acquire("ann") { $0.owner = "ann" }
    let before = try #require(scene.leases["ann"])
    #expect(scene.add("ann", ["b", "c"]) == nil && scene.add("ann", ["d"]) == nil)
    let after = try #require(scene.leases["ann"])
    #expect(after.id == before.id && after.fence == before.fence && after.deadline == before.deadline)
    #expect(try keys("ann") == ["a", "b", "c", "d"] && scene.flaws().isEmpty)
    for key in ["a", "b", "c", "d"] { #expect(scene.acquire("bob", key) == .locked) }
    let holder = try scene.ledger.lock(Scene.key("b")).holders[0]
    #expect(holder.owner == "ann" && holder.ref == before.ref && holder.deadline == before.deadline)
    scene.release("ann")
    #expect(scene.acquire("bob", several: ["a", "b", "c", "d"]) == nil && scene.flaws().isEmpty)
  }

  @Test func theFenceOfAnAddedLockIsLaterThanAnyOfIt() throws {
    scene.acquire("ann")
    scene.acquire("bob", "b")
    let old = try #require(scene.leases["bob"]).fence
    scene.release("bob")
    scene.add("ann", ["b"])
    let parts = try #require(scene.leases["ann"]).parts
    #expect(parts[1].fence > old && parts[0].fence == scene.leases["ann"]?.fence)
    #expect(try scene.ledger.lock(Scene.key("b")).holders.map(\.fence) == [parts[1].fence])
    scene.restart()
    #expect(try scene.ledger.lock(Scene.key("b")).holders.map(\.fence) == [parts[1].fence])
    scene.transfer("ann", to: "cat")
    let fences = try #require(scene.leases["cat"]).parts.map(\.fence)
    #expect(Set(fences).count == 1 && fences[0] > parts[1].fence && scene.flaws().isEmpty)
    #expect(try scene.ledger.lock(Scene.key("b")).holders.map(\.ref) == [#require(scene.leases["cat"]).ref])
  }

  @Test func allAreAddedOrNoneAndNothingIsGivenUp() throws {
    scene.acquire("ann", several: ["a", "b"])
    scene.acquire("bob", "d")
    #expect(scene.add("ann", ["c", "d"]) == .locked)
    #expect(try keys("ann") == ["a", "b"] && scene.acquire("cat", "c") == nil && scene.flaws().isEmpty)
    scene.queue("dan", "d")
    scene.release("bob")
    scene.release("dan")
    scene.acquire("eve", "d") { $0.mode = .shared }
    scene.queue("fay", "d")
    #expect(scene.add("ann", ["d"]) { $0.mode = .shared } == .locked, "others wait for it")
  }

  @Test func addingItAgainChangesNothingAndAnotherFormIsRefused() throws {
    scene.acquire("ann")
    scene.add("ann", ["b"]) { $0.limit = 3 }
    #expect(scene.add("ann", ["b"]) { $0.limit = 3 } == nil && scene.leases["ann"]?.replayed == true)
    #expect(try keys("ann") == ["a", "b"])
    #expect(scene.add("ann", ["b"]) { ($0.limit, $0.count) = (3, 2) } == .sameLockTwice)
    #expect(scene.add("ann", ["a"]) { $0.mode = .shared } == .sameLockTwice)
    #expect(scene.add("ann", ["a", "c"]) == .sameLockTwice && scene.acquire("bob", "c") == nil)
    #expect(scene.flaws().isEmpty)
  }

  @Test func whatIsOverOrEndsGetsNothing() {
    scene.acquire("ann")
    scene.breaks("ann", after: .seconds(5))
    #expect(scene.add("ann", ["b"]) == .broken)
    scene.pass(.seconds(6))
    #expect(scene.add("ann", ["b"]) == .broken && scene.acquire("bob", "b") == nil)
    scene.acquire("cat", "c")
    scene.release("cat")
    #expect(scene.add("cat", ["d"]) == .released && scene.flaws().isEmpty)
  }

  @Test func aLeaseHasAtMostSoManyLocks() {
    scene.acquire("ann")
    #expect(scene.add("ann", (1..<32).map { "k\($0)" }) == nil && scene.add("ann", ["more"]) == .outOfRange)
    #expect(scene.flaws().isEmpty)
  }

  @Test func whatWasAddedOutlivesARestartAndEndsWithTheRest() throws {
    scene.acquire("ann") { $0.ttl = .seconds(5) }
    scene.add("ann", ["b", "c"])
    scene.add("ann", ["d"])
    scene.restart()
    #expect(try keys("ann") == ["a", "b", "c", "d"] && scene.flaws().isEmpty)
    scene.pass(.seconds(8))
    #expect(scene.end("ann") == .expired && scene.acquire("bob", several: ["a", "b", "c", "d"]) == nil)
  }

  @Test func eachAddedLockHasAnEvent() {
    scene.acquire("ann")
    scene.add("ann", ["b", "c"])
    let granted = scene.ledger.events(from: 0, limit: 100).events.filter { $0.kind == .granted }
    #expect(granted.map(\.key) == ["a", "b", "c"] && Set(granted.map(\.ref)).count == 1)
  }

  private func add(_ key: String, to lease: LeaseSnapshot, as token: String?) -> LeaseholdError.Code? {
    let caller = Caller(connection: 3, peer: .unknown, account: CallerAccount(label: "caller", token: token))
    let request = AddRequest(lease.id, [Want(LockName(Scene.key(key)))], caller: caller)
    return scene.attempt { () throws(LeaseholdError) in
      scene.becomes(try scene.ledger.add(request, at: scene.daemon.moment), of: "ann")
    }
  }

  @Test func aLeaseGetsLocksFromItsOwnTokenAlone() throws {
    scene.acquire("ann") { $0.caller = $0.caller.with(account: CallerAccount(label: "token ci", token: "ci")) }
    let lease = try #require(scene.leases["ann"])
    #expect(add("b", to: lease, as: "other") == .forbidden && add("b", to: lease, as: nil) == .forbidden)
    #expect(scene.acquire("bob", "b") == nil && add("c", to: lease, as: "ci") == nil)
    scene.restart()
    #expect(add("c", to: lease, as: "ci") == nil, "a lost answer is asked for again")
    #expect(add("d", to: lease, as: "ci") == .forbidden, "nobody knows any more whose it is")
    let account = CallerAccount(label: "token ci", token: "ci")
    scene.transfer("ann", to: "ann") { $0.caller = $0.caller.with(account: account) }
    #expect(try add("d", to: #require(scene.leases["ann"]), as: "ci") == nil)
    #expect(try keys("ann") == ["a", "c", "d"] && scene.flaws().isEmpty)
  }

  @Test func aHolderWithoutATokenGetsLocksFromAll() throws {
    scene.acquire("ann") { $0.caller = $0.caller.with(account: CallerAccount(label: "uid 33")) }
    let lease = try #require(scene.leases["ann"])
    #expect(add("b", to: lease, as: "other") == nil && add("c", to: lease, as: nil) == nil)
    #expect(try keys("ann") == ["a", "b", "c"] && scene.flaws().isEmpty)
  }

  @Test(arguments: [
    (TimeSpan.seconds(3), TimeSpan.zero, TimeSpan.zero), (.seconds(1), .seconds(2), .zero),
    (.seconds(1), .zero, .seconds(3)),
  ])
  func whatIsAddedStaysTakenForNoLongerThanItsCallerMay(
    _ ttl: TimeSpan, _ cooldown: TimeSpan, _ atLeast: TimeSpan
  ) throws {
    scene.acquire("ann") { ($0.ttl, $0.cooldown, $0.holdAtLeast) = (ttl, cooldown, atLeast) }
    let confinement = Confinement(token: "short", prefixes: nil, longest: .seconds(2))
    let caller = Caller(connection: 1, peer: .unknown, confinement: confinement)
    let id = try #require(scene.leases["ann"]?.id)
    let request = AddRequest(id, [Want(LockName(Scene.key("b")))], caller: caller)
    func add() -> LeaseholdError.Code? {
      scene.attempt { () throws(LeaseholdError) in
        scene.becomes(try scene.ledger.add(request, at: scene.daemon.moment), of: "ann")
      }
    }
    #expect(add() == .outOfRange && scene.acquire("bob", "b") == nil)
    scene.release("bob")
    scene.renew("ann", ttl: .seconds(3))
    scene.pass(.milliseconds(1000))
    #expect(add() == (cooldown > .zero ? .outOfRange : nil) && scene.flaws().isEmpty)
  }
}
