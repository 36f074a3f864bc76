import LeaseholdTestKit
import SysV
import Testing

@testable import Leasehold
@testable import LeaseholdLocal

/// Somebody removes a set of ours (ipcrm -s, logind at the end of a session).
@Suite struct BankRemovalTests {
  @Test func leasesOnARemovedSetAreOverAndTheirHoldersHearOfIt() throws {
    let scene = Scene()
    let service = try scene.start()
    let lease = try service.take("a")
    let follower = RecordingClient()
    #expect(service.follow(lease.id, client: follower))
    try lease.bank.remove()
    try eventually { follower.end != nil }
    #expect(follower.end == .setRemoved)
    #expect(service.end(of: lease) == .setRemoved)
    #expect(service.status().counters.setsRemoved == 1)
    #expect(service.status().leases == 0)
  }

  @Test func waitersOfARemovedSetGoOnInANewOneInOrder() throws {
    let scene = Scene()
    let service = try scene.start()
    let lease = try service.take("a", limit: 2)
    let other = try service.take("a", limit: 2)
    let waiters = (0..<3).map { _ in RecordingClient() }
    for waiter in waiters { try service.wait("a", limit: 2, waiter) }
    try lease.bank.remove()
    try eventually { waiters[0].lease != nil && waiters[1].lease != nil }
    let first = try #require(waiters[0].lease)
    let second = try #require(waiters[1].lease)
    #expect(first.bank == second.bank && first.bank != lease.bank)
    #expect(first.fence < second.fence && first.fence > other.fence)
    #expect(waiters[2].answers == 0)
    try expectUnits(first, free: 0, out: 2, live: 2)
    #expect(service.end(of: lease) == .setRemoved && service.end(of: other) == .setRemoved)
    try service.giveBack(first)
    try service.giveBack(second)
    try eventually { waiters[2].lease != nil }
    let third = try #require(waiters[2].lease)
    try expectUnits(third, free: 1, out: 1, live: 2)
    try service.giveBack(third)
    try expectUnits(third, free: 2, out: 0, live: 2)
  }

  private func expectUnits(_ lease: LeaseSnapshot, free: UInt16, out: UInt16, live: UInt16) throws {
    let values = try lease.bank.values()
    let place = lease.place.semaphore
    #expect([values[place], values[64 + place], values[128 + place]] == [free, out, live])
  }

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
