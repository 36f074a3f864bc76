import Leasehold
import LeaseholdTestKit
import Testing

/// Requests of a group, of which the newest waits alone.
@Suite struct NewestTests {
  private let scene = Scene()

  private func queue(_ who: String, _ key: String = "a", in group: String? = "web") {
    scene.queue(who, key) { $0.remarks = HolderRemarks(note: nil, newest: group) }
  }

  private func code(_ who: String) -> LeaseholdError.Code? { scene.clients[who]?.refusal?.code }

  private func events(_ kind: EventKind) -> [LedgerEvent] {
    scene.ledger.events(from: 0, limit: 1000).events.filter { $0.kind == kind }
  }

  @Test func ofAGroupTheNewestWaitsAloneAndIsServedNext() {
    scene.acquire("ann")
    for number in 0..<5 { queue("w\(number)") }
    #expect((0..<4).allSatisfy { code("w\($0)") == .superseded } && scene.waits("w4"))
    #expect(events(.left).map(\.reason) == Array(repeating: "superseded", count: 4))
    #expect(scene.ledger.status().counters.superseded == 4 && scene.ledger.status().counters.canceled == 0)
    scene.release("ann")
    #expect(scene.has("w4") && scene.flaws().isEmpty)
  }

  @Test func othersKeepTheirPlaces() {
    scene.acquire("ann")
    queue("old")
    queue("api", in: "api")
    queue("none", in: nil)
    queue("elsewhere", "b")
    queue("new")
    #expect(code("old") == .superseded && scene.waits("api") && scene.waits("none") && scene.waits("new"))
    scene.release("ann")
    #expect(scene.has("api"), "it moved up when the one before it was ended")
    scene.release("api")
    #expect(scene.has("none"))
    scene.release("none")
    #expect(scene.has("new") && scene.flaws().isEmpty)
  }

  @Test func whoStoodBehindTheOneThatIsEndedIsServedAtOnce() {
    scene.acquire("ann") { $0.mode = .shared }
    queue("old")
    scene.queue("reader") { $0.mode = .shared }
    queue("new")
    #expect(code("old") == .superseded && scene.has("reader") && scene.waits("new"))
  }

  @Test func aHolderOfTheGroupIsAskedOnceToYield() throws {
    scene.acquire("ann") { $0.remarks = HolderRemarks(note: "step 1", newest: "web") }
    scene.acquire("bob", "b") { $0.remarks = HolderRemarks(note: nil, newest: "web") }
    let id = try #require(scene.leases["ann"]?.id)
    #expect(try scene.ledger.lease(id).remarks?.isAskedToYield == false)
    queue("old")
    queue("new")
    #expect(events(.yield).map(\.reason) == ["web"])
    let renewed = try scene.ledger.renew(id, key: nil, native: nil, ttl: nil, at: scene.daemon.moment)
    #expect(renewed.remarks?.isAskedToYield == true && renewed.remarks?.note == "step 1")
    _ = try scene.ledger.note(id, "step 2", at: scene.daemon.moment)
    let shown = try scene.ledger.lease(id).remarks
    #expect(shown?.isAskedToYield == true && shown?.newest == "web" && shown?.note == "step 2")
    scene.release("ann")
    #expect(scene.leases["new"]?.remarks?.isAskedToYield == false)
  }

  @Test func aHolderOfAnotherGroupIsNotAsked() throws {
    scene.acquire("ann") { $0.remarks = HolderRemarks(note: nil, newest: "api") }
    queue("new")
    #expect(events(.yield).isEmpty)
  }

  @Test func aRequestForSeveralEndsOlderOnesOfEachLock() {
    scene.acquire("ann", several: ["a", "b"])
    queue("old", "b")
    scene.acquire("new", several: ["a", "b"]) {
      ($0[0].remarks, $0[0].wait) = (HolderRemarks(note: nil, newest: "web"), .seconds(60))
    }
    #expect(code("old") == .superseded && scene.waits("new"))
    queue("newest", "b")
    #expect(code("new") == .superseded && scene.waits("newest"))
    scene.release("ann")
    #expect(scene.has("newest") && scene.acquire("dan") == nil && scene.flaws().isEmpty)
  }

  @Test func aLateRetryOfWhatWasEndedIsNotNewer() {
    scene.acquire("ann")
    scene.queue("old") { ($0.remarks, $0.idempotencyKey) = (HolderRemarks(note: nil, newest: "web"), "k") }
    queue("new")
    let again = scene.acquire("again") {
      ($0.remarks, $0.idempotencyKey, $0.wait) = (HolderRemarks(note: nil, newest: "web"), "k", .seconds(5))
    }
    #expect(again == .superseded && scene.waits("new"))
    let elsewhere = scene.acquire("elsewhere", "b") { $0.idempotencyKey = "k" }
    #expect(elsewhere == nil, "the key was of lock 'a'")
  }

  @Test func aQueueThatIsFullOfOlderOnesHasRoomForTheNewest() {
    scene.acquire("ann")
    for who in ["old", "new"] {
      scene.queue(who) { ($0.remarks, $0.maxWaiters) = (HolderRemarks(note: nil, newest: "web"), 1) }
    }
    #expect(code("old") == .superseded && scene.waits("new"))
  }

  @Test func aRequestThatIsAboutToBeEndedClosesNoCircle() throws {
    scene.acquire("ann")
    scene.acquire("me", "b")
    scene.acquire("old", several: ["a", "b"]) {
      ($0[0].remarks, $0[0].wait) = (HolderRemarks(note: nil, newest: "web"), .seconds(5))
    }
    let mine = try #require(scene.leases["me"]?.id)
    scene.queue("new") { ($0.remarks, $0.holding) = (HolderRemarks(note: nil, newest: "web"), [mine]) }
    #expect(code("old") == .superseded && scene.waits("new"))
  }

  @Test func aRetryMayNotChangeItsGroup() {
    scene.acquire("ann")
    scene.queue("one") { ($0.remarks, $0.idempotencyKey) = (HolderRemarks(note: nil, newest: "web"), "k") }
    let other = scene.acquire("two") {
      ($0.remarks, $0.idempotencyKey, $0.wait) = (HolderRemarks(note: nil, newest: "api"), "k", .seconds(5))
    }
    #expect(other == .idempotencyMismatch && scene.waits("one"))
  }

  @Test func aRetryOfTheNewestKeepsItsPlace() {
    scene.acquire("ann")
    for who in ["first", "second"] {
      scene.queue(who) { ($0.remarks, $0.idempotencyKey) = (HolderRemarks(note: nil, newest: "web"), "k") }
    }
    #expect(code("first") == .superseded && scene.waits("second"))
    scene.release("ann")
    #expect(scene.has("second"))
  }

  @Test func aRequestThatWouldWaitForItselfEndsNoOther() throws {
    scene.acquire("ann")
    queue("old")
    let mine = try #require(scene.leases["ann"]?.id)
    let refusal = scene.acquire("self") {
      $0.remarks = HolderRemarks(note: nil, newest: "web")
      ($0.wait, $0.holding) = (.seconds(5), [mine])
    }
    #expect(refusal == .deadlock && scene.waits("old"))
  }
}
