import HostTestKit
import LeaseholdTestKit
import SysV
import Testing

@testable import Leasehold
@testable import LeaseholdLocal

/// Somebody removes a set of ours (ipcrm -s, logind at the end of a session).
@Suite struct BankRemovalTests {
  @Test func aRequestThatFindsItsSetGoneGetsAnother() throws {
    let scene = Scene()
    let service = try scene.start()
    let lease = try service.take("a")
    try service.giveBack(lease)
    try lease.bank.remove()
    let next = try service.take("a")
    #expect(next.bank != lease.bank)
    try next.bank.remove()
    // Either the release finds the set gone, or the clock's thread did before it.
    do {
      try service.giveBack(next)
    } catch let error as LeaseholdError {
      #expect(error.code == .setRemoved)
    }
    try eventually { service.status().counters.setsRemoved == 2 }
  }

  @Test func aSetRemovedWhileNobodyServesEndsItsLeasesAtTheNextStart() throws {
    let scene = Scene()
    let first = try scene.start()
    let lease = try first.take("a")
    scene.stop(first)
    try lease.bank.remove()
    let second = try scene.start()
    #expect(second.end(of: lease) == .setRemoved)
    #expect(second.status().ledger?.recovery.leasesLost == 1)
    #expect(try second.take("a").bank != lease.bank)
  }

  @Test func aSetRemovedUnderAThreadThatWaitsInTheKernelIsNoticedAtOnce() throws {
    let scene = Scene()
    let service = try scene.start()
    let lease = try service.take("a")
    try service.giveBack(lease)
    let native = try ChildProcess.holding(1, of: lease.place.semaphore, in: lease.bank)
    let waiter = RecordingClient()
    try service.wait("a", waiter)
    try eventually { try lease.bank.waiterCount(of: lease.place.semaphore) == 1 }
    try lease.bank.remove()
    try eventually { waiter.lease != nil }
    #expect(waiter.lease?.bank != lease.bank)
    try eventually { service.status().ledger?.pumps == 0 }
    native.end()
  }
}
