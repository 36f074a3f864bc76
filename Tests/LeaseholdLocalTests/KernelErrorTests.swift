import Glibc
import HostTestKit
import LeaseholdTestKit
import SysV
import SystemPackage
import Testing

@testable import Leasehold
@testable import LeaseholdLocal

/// A call that fails says nothing of what it was asked about.
@Suite struct KernelErrorTests {
  private let scene = Scene()

  private func failing<Result>(
    _ call: Syscall, _ error: Errno, skipping: Int = 0, times: ForcedErrno.Times = .count(1),
    _ body: () throws -> Result
  ) rethrows -> Result {
    try ForcedErrno.$current.withValue(ForcedErrno(call, error, skipping: skipping, times: times), operation: body)
  }

  @Test func aBankThatCannotBeReadIsNoBankThatIsGone() throws {
    let lease = try scene.start().take("a")
    let kernel = KernelSemaphores(controlKey: scene.options.controlKey, mode: .ownerReadWrite)
    #expect(failing(.semctl, .noMemory) { kernel.bankValues(lease.bank.id) } != nil)
    #expect(failing(.semctl, .noMemory) { kernel.read(lease.bank.id) } == .unreadable)
  }

  @Test func aStartAtWhichBanksCannotBeReadIsRefused() throws {
    _ = try scene.start().take("a")
    let key = scene.options.controlKey
    let calls = ForcedErrno(.semop, .noMemory)
    try ForcedErrno.$current.withValue(calls) { try KernelSemaphores.requireReadable(key) }
    #expect(calls.calls.count > 2)
    for number in calls.calls.indices {
      let error = #expect(throws: LocalServiceError.self) {
        try failing(.semctl, .permissionDenied, skipping: number) { try KernelSemaphores.requireReadable(key) }
      }
      guard case .unreadableSet(_, .permissionDenied)? = error else { throw NeverHappened() }
      #expect(error?.missingSemaphores == nil && error?.description.contains("nothing was changed") == true)
    }
  }

  @Test func aSetThatCouldNotBeFinishedDoesNotStay() throws {
    let service = try scene.start()
    // By the half of their keys that is the control key's: other tests make sets meanwhile.
    let half = UInt16(truncatingIfNeeded: scene.options.controlKey)
    func sets() throws -> Int {
      try IPCInventory.semaphoreSets().count { UInt16(truncatingIfNeeded: $0.status.permissions.key.rawValue) == half }
    }
    let before = try sets()
    #expect(throws: LeaseholdError.self) { try failing(.semtimedop, .noMemory) { _ = try service.take("a") } }
    #expect(try sets() == before)
    _ = try service.take("a")
  }

  @Test func aProcessThatCannotBeLookedAtIsNotTakenForDead() throws {
    let facts = try #require(ProcessFacts(getpid()))
    let namespace = try #require(ProcessFacts.ownNamespace())
    let stamp = ProcessStamp(
      namespace: UInt32(truncatingIfNeeded: namespace), pid: getpid(), started: facts.started)
    let finder = ProcessFinder(ProcessWatch(processesMax: 4) { _ in }, usesPeerHandle: true)
    func find() -> ProcessFinding? { finder.find([stamp])[stamp] }
    for (call, error) in [(Syscall.poll, Errno.noMemory), (.pidfd_open, .tooManyOpenFiles)] {
      guard case .unknown? = failing(call, error, times: .always, { find() }) else { throw NeverHappened() }
      // It is looked at again: memory comes back, and descriptors.
      guard case .found? = failing(call, error, { find() }) else { throw NeverHappened() }
    }
  }

  @Test func anInterruptedOperationIsDoneAllTheSame() throws {
    let service = try scene.start()
    let lease = try service.take("a")
    try failing(.semop, .interrupted, times: .count(3)) { try service.giveBack(lease) }
    #expect(try lease.bank.values()[lease.place.semaphore] == UInt16(Limits.readerUnits))
  }
}
