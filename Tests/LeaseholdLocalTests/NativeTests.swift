import HostTestKit
import LeaseholdHost
import LeaseholdTestKit
import SysV
import Testing

@testable import Leasehold
@testable import LeaseholdLocal

/// Programs that take part with semop, here Perl, and threads of the service that wait for them in the kernel.
@Suite struct NativeTests {
  private let scene = Scene()

  /// A lock that exists and is free.
  private func freeLock(_ service: LocalLockService, _ name: String, limit: Int? = nil) throws -> LeaseSnapshot {
    let lease = try service.take(name, limit: limit)
    try service.giveBack(lease)
    return lease
  }

  @Test(arguments: [true, false])
  func anAcquireWaitsInTheKernelUntilTheNativeProgramLetsGo(_ isKilled: Bool) throws {
    let service = try scene.start()
    let lock = try freeLock(service, "a")
    let native = try ChildProcess.holding(1, of: lock.place.semaphore, in: lock.bank)
    let waiter = RecordingClient()
    try service.wait("a", waiter)
    #expect(service.status().ledger?.pumps == 1)
    #expect(service.status().counters.kernelWaits == 1)
    try eventually { try lock.bank.waiterCount(of: lock.place.semaphore) == 1 }
    #expect(waiter.answers == 0)
    if isKilled {
      native.end()
    } else {
      native.terminate()
      try eventually { waiter.lease != nil }
    }
    try eventually { waiter.lease != nil }
    let lease = try #require(waiter.lease)
    // The units are the ledger's now, not the thread's: nothing would be undone at the death of this process.
    #expect(try lease.bank.value(of: lease.place.semaphore) == 0)
    #expect(try lease.bank.value(of: 64 + lease.place.semaphore) == 16_384)
    #expect(service.status().ledger?.pumps == 0)
    try service.giveBack(lease)
    #expect(try service.lock(lock.key).availableUnits == 16_384)
  }

  @Test func unitsThatWereWaitedForStayTakenWhenTheServiceStops() throws {
    let first = try scene.start()
    let lock = try freeLock(first, "a", limit: 1)
    let native = try ChildProcess.holding(of: lock.place.semaphore, in: lock.bank)
    let waiter = RecordingClient()
    try first.wait("a", limit: 1, waiter)
    native.end()
    try eventually { waiter.lease != nil }
    let lease = try #require(waiter.lease)
    let second = try scene.restart(first)
    #expect(second.status().ledger?.recovery.unitsGivenBack == 0)
    #expect(second.end(of: lease) == nil)
    #expect(try second.lock(lock.key).availableUnits == 0)
  }

  @Test func aWaiterThatGivesUpTakesItsThreadOutOfTheKernel() throws {
    let service = try scene.start()
    let lock = try freeLock(service, "a")
    let native = try ChildProcess.holding(of: lock.place.semaphore, in: lock.bank)
    for _ in 0..<20 {
      let waiter = RecordingClient()
      let id = try service.wait("a", waiter)
      try eventually { try lock.bank.waiterCount(of: lock.place.semaphore) == 1 }
      service.withdraw(.waiter(id), at: HostClock.now())
      #expect(service.status().ledger?.pumps == 0)
      try eventually { try lock.bank.waiterCount(of: lock.place.semaphore) == 0 }
      #expect(waiter.answers == 0)
    }
    #expect(service.status().counters.canceled == 20)
    native.end()
    try eventually { try service.lock(lock.key).availableUnits == 16_384 }
  }

  @Test func aWaiterWhoseTimeIsOverTakesItsThreadOutOfTheKernel() throws {
    let service = try scene.start()
    let lock = try freeLock(service, "a")
    let native = try ChildProcess.holding(of: lock.place.semaphore, in: lock.bank)
    let waiter = RecordingClient()
    try service.wait("a", for: .milliseconds(200), waiter)
    try eventually { waiter.refusal != nil }
    #expect(waiter.refusal?.code == .waitTimeout)
    #expect(waiter.refusal?.contention?.nativeUnits == 1)
    try eventually { try lock.bank.waiterCount(of: lock.place.semaphore) == 0 }
    native.end()
  }

  @Test func moreLocksThanThreadsArePolled() throws {
    scene.options.limits.pumps = 2
    let service = try scene.start()
    let locks = try (0..<5).map { try freeLock(service, "lock \($0)") }
    let semaphores = locks.map { "\($0.place.semaphore)" }.joined(separator: ", ")
    let native = try ChildProcess(
      perl: "semop(\(locks[0].bank.id), pack('s!3', $_, -1, 010000)) or die for (\(semaphores)); sleep 1 while 1;")
    for lock in locks { try eventually { try service.lock(lock.key).nativeUnits == 1 } }
    let waiters = locks.map { _ in RecordingClient() }
    for (lock, waiter) in zip(locks, waiters) { try service.wait(lock.key.text, waiter) }
    #expect(service.status().ledger?.pumps == 2)
    native.end()
    try eventually { waiters.allSatisfy { $0.lease != nil } }
    #expect(waiters.allSatisfy { $0.answers == 1 })
    #expect(service.status().leases == 5)
  }

  @Test func stopLeavesNoThreadInTheKernel() throws {
    let service = try scene.start()
    let lock = try freeLock(service, "a")
    let native = try ChildProcess.holding(of: lock.place.semaphore, in: lock.bank)
    let waiter = RecordingClient()
    try service.wait("a", waiter)
    try eventually { try lock.bank.waiterCount(of: lock.place.semaphore) == 1 }
    scene.stop(service)
    #expect(try lock.bank.waiterCount(of: lock.place.semaphore) == 0)
    #expect(waiter.refusal?.code == .draining)
    native.end()
    try eventually { try lock.bank.value(of: lock.place.semaphore) == 16_384 }
  }
}
