import LeaseholdHost
import LeaseholdTestKit
import SysV
import Testing

@testable import Leasehold
@testable import LeaseholdLocal

/// What a daemon that was killed leaves behind, made by hand, and what the next one makes of it.
@Suite struct RecoveryTests {
  @Test func unitsTakenForNobodyAreGivenBack() throws {
    let scene = Scene()
    let first = try scene.start()
    let lease = try first.take("a", limit: 5)
    let place = UInt16(lease.place.semaphore)
    scene.stop(first)
    // Killed between the semop of a grant and its record.
    try lease.bank.operate([.subtract(3, from: place), .add(3, to: 64 + place)])
    let second = try scene.start()
    #expect(second.status().ledger?.recovery.unitsGivenBack == 3)
    #expect(try second.lock(lease.key).availableUnits == 4)
    #expect(second.end(of: lease) == nil)
    #expect(try lease.bank.value(of: 64 + Int(place)) == 1)
    let third = try scene.restart(second)
    #expect(third.status().ledger?.recovery.unitsGivenBack == 0)
    #expect(try third.lock(lease.key).availableUnits == 4)
  }

  @Test func theUnitsOfALeaseWhoseRecordSaysItEndedAreGivenBack() throws {
    let scene = Scene()
    let first = try scene.start()
    let lease = try first.take("a")
    scene.stop(first)
    // Killed between the record of a release and its semop.
    try withLedger(scene) { ledger in
      for cell in 0..<ledger.header(.highWater).clamped(to: 0...100) where ledger.commitWord(at: cell).kind == .lease {
        let check = ledger.commitWord(at: cell).check
        ledger.store(UInt64(HostClock.now().nanoseconds), .second, at: cell)
        ledger.commit(CommitWord(.ended, .lease, check: check, reason: .released), at: cell)
      }
    }
    let second = try scene.start()
    #expect(second.status().ledger?.recovery.unitsGivenBack == 16_384)
    #expect(second.end(of: lease) == .released)
    #expect(try second.take("a").bank == lease.bank)
  }

  @Test func aPlaceInUseThatNoRecordKnowsIsTakenOutOfUse() throws {
    let scene = Scene()
    let first = try scene.start()
    let lease = try first.take("a")
    scene.stop(first)
    // Killed while it made a second lock.
    let place = UInt16(lease.place.semaphore == 63 ? 0 : 63)
    try lease.bank.operate([.add(7, to: place), .add(7, to: 128 + place)])
    let second = try scene.start()
    #expect(try lease.bank.value(of: Int(place)) == 0)
    #expect(try lease.bank.value(of: 128 + Int(place)) == 0)
    #expect(second.status().ledger?.recovery.unitsGivenBack == 0)
  }

  @Test func aScribbledRecordIsDroppedAndItsUnitsGoBack() throws {
    let scene = Scene()
    let first = try scene.start()
    let lease = try first.take("a")
    scene.stop(first)
    try withLedger(scene) { ledger in
      for cell in 0..<ledger.header(.highWater).clamped(to: 0...100) where ledger.commitWord(at: cell).kind == .lease {
        var body = ledger.body(at: cell)
        body.words[5] ^= 1
        ledger.write(body, at: cell)
      }
    }
    let second = try scene.start()
    #expect(second.status().ledger?.recovery.damagedRecords == 1)
    #expect(second.status().ledger?.recovery.unitsGivenBack == 16_384)
    #expect(second.end(of: lease) == .noSuchLease)
  }

  private func withLedger(_ scene: Scene, _ body: (LedgerSegment) throws -> Void) throws {
    try body(
      LedgerSegment.open(key: IPCKey(rawValue: scene.key), capacity: scene.options.limits.records))
  }

  @Test func aLedgerSemaphoreWrittenByHandMakesItsLockDamaged() throws {
    let scene = Scene()
    let first = try scene.start()
    let lease = try first.take("a", limit: 3)
    let neighbour = try first.take("b", limit: 3)
    scene.stop(first)
    try lease.bank.setValue(0, of: 64 + lease.place.semaphore)
    let second = try scene.start()
    #expect(try second.refusal("a", limit: 3)?.code == .ledgerDamaged)
    #expect(second.status().ledger?.recovery.unitsGivenBack == 0)
    #expect(try second.take("b", limit: 3).bank == neighbour.bank)
    try second.remove(LockName(lease.key), force: true, within: nil, at: HostClock.now())
    let fresh = try second.take("a", limit: 3)
    #expect(fresh.place.semaphore != lease.place.semaphore || fresh.bank != lease.bank)
    #expect(try fresh.bank.value(of: fresh.place.semaphore) == 2)
  }

  @Test func aLedgerSemaphoreWrittenWhileServingIsNoticedByTheNextGiveBack() throws {
    let scene = Scene()
    let service = try scene.start()
    let lease = try service.take("a", limit: 3)
    try lease.bank.setValue(0, of: 64 + lease.place.semaphore)
    try service.giveBack(lease)
    #expect(service.status().counters.undoFailures == 1)
    #expect(try service.refusal("a", limit: 3)?.code == .ledgerDamaged)
  }

  @Test func whatRanOutWhileNobodyServedGetsAGraceAndThenEnds() throws {
    let scene = Scene()
    scene.options.limits.recoveryGrace = .seconds(3)
    let first = try scene.start()
    let lease = try first.take("a", ttl: .milliseconds(100))
    var bound = try first.request("b", ttl: .zero)
    bound.bindsConnection = true
    guard case .granted(let held) = first.acquire(bound) else { throw NeverHappened() }
    scene.stop(first)
    let deadline = try #require(lease.deadline)
    try eventually { HostClock.now() > deadline }
    let before = HostClock.now()
    let second = try scene.start()
    let found = try second.lease(lease.id, at: HostClock.now())
    #expect(try #require(found.deadline) >= before + .seconds(3))
    #expect(second.end(of: held) == nil)
    try eventually { second.end(of: lease) != nil && second.end(of: held) != nil }
    #expect(second.end(of: lease) == .expired)
    #expect(second.end(of: held) == .expired)
    #expect(try second.lock(lease.key).availableUnits == 16_384)
  }
}
