import HostTestKit
import LeaseholdHost
import LeaseholdTestKit
import SysV
import Testing

@testable import Leasehold
@testable import LeaseholdLocal

@Suite struct ClockTests {
  @Test func aLeaseExpiresAndTheNextInLineGetsTheLock() throws {
    let scene = Scene()
    let service = try scene.start()
    let lease = try service.take("a", ttl: .seconds(1))
    let follower = RecordingClient()
    #expect(service.follow(lease.id, client: follower))
    let waiter = RecordingClient()
    try service.wait("a", waiter)
    #expect(service.status().ledger?.pumps == 0)
    try eventually { waiter.lease != nil }
    let next = try #require(waiter.lease)
    #expect(next.grantedAt >= (try #require(lease.deadline)))
    #expect(next.fence > lease.fence && next.waited > .zero)
    #expect(follower.end == .expired)
    #expect(service.end(of: lease) == .expired)
    let counters = service.status().counters
    #expect(counters.ended[Int(EndReason.expired.rawValue)] == 1)
    #expect(counters.expiryLagMax > 0 && counters.expiryLagSum >= counters.expiryLagMax)
  }

  @Test func aLockThatANativeProgramUsesIsNotCollected() throws {
    let scene = Scene()
    scene.options.limits.idleLocks = .milliseconds(100)
    let service = try scene.start()
    let lease = try service.take("a")
    let native = try ChildProcess.holding(of: lease.place.semaphore, in: lease.bank, afterRelease: lease, by: service)
    let canary = try service.take("canary")
    try service.giveBack(canary)
    try eventually { service.status().locks == 1 }
    #expect(try service.lock(lease.key).nativeUnits == 1)
    native.end()
    try eventually { service.status().locks == 0 }
  }

  @Test func aRefusedWaiterIsToldFromAnotherThreadThanTheOneThatAsked() throws {
    let scene = Scene()
    let service = try scene.start()
    _ = try service.take("a")
    let waiter = RecordingClient()
    try service.wait("a", for: .milliseconds(100), waiter)
    try eventually { waiter.refusal != nil }
    #expect(waiter.refusal?.code == .waitTimeout)
    #expect(waiter.refusal?.contention?.holders.count == 1)
    #expect(service.status().counters.timedOut == 1)
  }
}

extension ChildProcess {
  /// A native program that waits for one unit and gets it as the lease is released.
  fileprivate static func holding(
    of semaphore: Int, in set: SemaphoreSet, afterRelease lease: LeaseSnapshot, by service: LocalLockService
  ) throws -> ChildProcess {
    let child = try ChildProcess(
      perl: "semop(\(set.id), pack('s!3', \(semaphore), -1, 010000)) or die; sleep 1 while 1;")
    try eventually { try set.waiterCount(of: semaphore) == 1 }
    try service.giveBack(lease)
    try eventually { try service.lock(lease.key).nativeUnits == 1 }
    return child
  }
}
