import Leasehold
import LeaseholdTestKit
import Testing

@Suite struct RecoveryTests {
  private let scene = Scene()

  @Test func leasesSurviveWithEverythingThatWasSaidOfThem() throws {
    let key = String(repeating: "näme", count: 40)
    scene.acquire("ann", key) { request in
      request.limit = 9
      request.count = 4
      request.owner = String(repeating: "ö", count: 64)
      request.cooldown = .seconds(3)
      request.caller = request.caller.with(peer: .local(pid: 42, uid: 1000, gid: 1000))
    }
    let before = try #require(scene.leases["ann"])
    scene.restart()
    let after = try scene.ledger.lease(before.id)
    #expect(after.key == before.key && after.kind == before.kind && after.count == 4 && after.units == 4)
    #expect(after.owner == before.owner && after.fence == before.fence && after.ttl == before.ttl)
    #expect(after.cooldown == before.cooldown && after.deadline == before.deadline)
    #expect(after.grantedAt == before.grantedAt && after.binding == before.binding && after.peer.pid == 42)
    #expect(scene.ledger.recovery.leases == 1 && scene.ledger.recovery.locks == 1 && scene.flaws().isEmpty)
  }

  @Test func aRenewedDeadlineSurvives() {
    scene.acquire("ann") { $0.ttl = .seconds(1) }
    scene.renew("ann", ttl: .seconds(100))
    scene.restart()
    scene.pass(.seconds(99))
    #expect(scene.has("ann"))
    scene.pass(.seconds(1))
    #expect(scene.end("ann") == .expired)
  }

  @Test func whatRanOutMeanwhileGetsAGraceToBeRenewed() {
    scene.acquire("ann", "a") { $0.ttl = .seconds(1) }
    scene.acquire("bob", "b") { $0.ttl = .seconds(1) }
    scene.daemon.clock.advance(by: .seconds(100))
    scene.restart()
    #expect(scene.acquire("cat") == .locked)
    scene.pass(.milliseconds(1999))
    #expect(scene.renew("ann") == nil)
    scene.pass(.milliseconds(1))
    #expect(scene.has("ann") && scene.end("bob") == .expired && scene.flaws().isEmpty)
  }

  @Test func endsAreRememberedAcrossARestart() {
    scene.acquire("ann", "a")
    scene.release("ann")
    scene.acquire("bob", "b") { $0.ttl = .seconds(1) }
    scene.pass(.seconds(1))
    scene.restart()
    #expect(scene.end("ann") == .released && scene.end("bob") == .expired)
    #expect(scene.release("ann") == nil, "released already, which is what was asked")
    scene.pass(.seconds(601))
    scene.keepHouse()
    #expect(scene.end("ann") == .noSuchLease && scene.flaws().isEmpty)
  }

  @Test func theOldestEndsAreForgottenWhenFewerAreToBeRemembered() {
    for number in 0..<6 {
      scene.acquire("\(number)")
      scene.release("\(number)")
      scene.pass(.seconds(1))
    }
    scene.daemon.limits.tombstones = 2
    scene.restart()
    #expect((0..<6).map { scene.end("\($0)") == .released } == [false, false, false, false, true, true])
    #expect(scene.flaws().isEmpty)
  }

  @Test func unitsThatWereTakenForNobodyGoBack() {
    scene.acquire("ann") {
      $0.limit = 5; $0.count = 2
    }
    // The units are taken, the record is not committed.
    scene.daemon.crash.interference = {
      if scene.free() == 0 { scene.daemon.crash.crashNow() }
    }
    scene.acquire("bob") {
      $0.limit = 5; $0.count = 3
    }
    scene.daemon.crash.interference = nil
    #expect(scene.daemon.crash.hasCrashed)
    scene.restart()
    #expect(scene.ledger.recovery.unitsGivenBack == 3 && scene.free() == 3 && scene.has("ann"))
    #expect(scene.flaws().isEmpty)
  }

  @Test func waitersAreGoneAndTheirThreadsUnitsAreUndone() {
    scene.acquire("ann") { $0.limit = 2 }
    scene.nativeTakes(1)
    scene.queue("bob") { $0.limit = 2 }
    let place = scene.place() ?? (0, 0)
    scene.kernel.give(1, set: place.0, semaphore: place.1, process: 100, undoes: true)
    #expect(scene.free() == 0)
    scene.restart()
    #expect(scene.free() == 1 && scene.ledger.status().waiters == 0 && scene.flaws().isEmpty)
  }

  @Test func leasesWhoseSetIsGoneAreOver() {
    scene.acquire("ann")
    scene.removeSet()
    scene.restart()
    #expect(scene.end("ann") == .setRemoved && scene.ledger.recovery.leasesLost == 1)
    #expect(scene.ledger.status().locks == 0 && scene.flaws().isEmpty)
  }

  @Test func aLostLedgerFreesEverything() {
    scene.acquire("ann")
    let fence = scene.leases["ann"]?.fence ?? 0
    scene.daemon.storage.erase()
    scene.history.letGo { _ in true }
    scene.restart()
    #expect(scene.kernel.banks().isEmpty && scene.ledger.recovery.setsRemoved == 1)
    scene.daemon.clock.advance(by: .seconds(1))
    #expect(scene.acquire("bob") == nil)
    #expect(scene.leases["bob"].map { $0.fence > fence } == true, "the wall clock keeps the fence growing")
  }

  @Test func aClockThatBeginsElsewhereLeavesTheTimeThatWasLeft() {
    scene.acquire("ann") { $0.ttl = .seconds(100) }
    scene.acquire("bob", "b") {
      $0.ttl = .seconds(100); $0.cooldown = .seconds(50)
    }
    scene.pass(.seconds(40))
    scene.keepHouse()
    scene.history.letGo { _ in true }
    scene.daemon.clock.setMonotonic(MonotonicInstant(nanoseconds: 5_000_000_000))
    scene.restart(crashAfterStep: 1)
    scene.restart()
    scene.restart()
    scene.pass(.milliseconds(59_999))
    #expect(scene.has("ann") && scene.has("bob"))
    scene.pass(.milliseconds(1))
    #expect(scene.end("ann") == .expired && scene.end("bob") == .expired && scene.flaws().isEmpty)
    #expect(scene.acquire("cat") == nil && scene.acquire("cat", "b") == .locked)
    scene.pass(.seconds(50))
    #expect(scene.acquire("cat", "b") == nil)
  }

  @Test func leasesGrantedAfterTheClockMovedAreNotMovedByTheNextRestart() {
    scene.keepHouse()
    scene.daemon.clock.setMonotonic(MonotonicInstant(nanoseconds: 950_000_000_000))
    scene.restart()
    scene.acquire("ann") { $0.ttl = .seconds(20) }
    scene.restart()
    scene.pass(.seconds(19))
    #expect(scene.has("ann"))
    scene.pass(.seconds(1))
    #expect(scene.end("ann") == .expired)
  }

  @Test(arguments: [1 << 63, 1 << 62, .max] as [UInt64])
  func aDeadlineThatSomebodyScribbledOverIsReplacedByTheTtl(_ mask: UInt64) {
    scene.acquire("ann") {
      $0.ttl = .seconds(1); $0.cooldown = .seconds(10)
    }
    scene.acquire("bob", "b")
    scene.pass(.seconds(1))
    scene.history.letGo { _ in true }
    for cell in 0..<4 { scene.daemon.storage.scribble(mask, word: 0, at: cell) }
    scene.restart()
    scene.pass(.milliseconds(29_999))
    #expect(scene.has("bob"))
    scene.pass(.milliseconds(1))
    #expect(!scene.has("bob") && scene.acquire("cat") == nil && scene.acquire("dan", "b") == nil)
    #expect(scene.flaws().isEmpty)
  }
}
