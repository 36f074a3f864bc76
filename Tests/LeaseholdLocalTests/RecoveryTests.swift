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

  private func withLedger(_ scene: Scene, _ body: (LedgerSegment) throws -> Void) throws {
    try body(
      LedgerSegment.open(key: IPCKey(rawValue: scene.key), capacity: scene.options.limits.records))
  }
}
