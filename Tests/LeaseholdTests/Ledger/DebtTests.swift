import LeaseholdTestKit
import SysVTypes
import Testing

@testable import Leasehold

/// What must go back and cannot, because the kernel has no memory or no right for it, goes back later, once.
@Suite struct DebtTests {
  private let scene = Scene()

  /// The kernel refuses the next operations that give something to a semaphore before they take from another.
  private func refuseToGiveBack(_ scene: Scene, errno: KernelErrno = .noMemory, times: Int = 1) {
    var left = times
    scene.kernel.failure = { _, list in
      guard left > 0, list.count > 0, list[0].delta > 0 else { return nil }
      left -= 1
      return .failed(KernelFailure(errno))
    }
  }

  @Test(arguments: [KernelErrno.noMemory, .accessDenied, .notPermitted, .interrupted])
  func aSlotThatCouldNotGoBackGoesToTheQueueLater(_ errno: KernelErrno) {
    scene.acquire("ann")
    scene.queue("bob")
    refuseToGiveBack(scene, errno: errno)
    #expect(scene.release("ann") == nil, "for ann it is over")
    #expect(scene.free() == 0 && scene.waits("bob") && scene.ledger.wantsPolling)
    #expect(scene.acquire("cat") == .locked)
    scene.keepHouse()
    #expect(scene.ledger.takeDriftReports().isEmpty, "it is known why the kernel counts more")
    scene.pass(.milliseconds(10))
    #expect(scene.has("bob") && scene.ledger.counters.undoFailures == 1)
    scene.release("bob")
    #expect(scene.free() == Limits.readerUnits && !scene.ledger.wantsPolling && scene.flaws().isEmpty)
  }

  @Test func aSlotIsTriedAgainUntilItGoes() {
    scene.acquire("ann") { $0.limit = 2 }
    refuseToGiveBack(scene)
    scene.release("ann")
    scene.kernel.failure = nil
    #expect(scene.remove() == .inUse, "the kernel has not all of it back")
    scene.pass(.milliseconds(10))
    #expect(scene.free() == 2 && scene.remove() == nil && scene.flaws().isEmpty)
  }

  @Test func aDaemonThatDiesBeforeItCouldGiveBackLeavesItToTheNext() {
    scene.acquire("ann")
    refuseToGiveBack(scene)
    scene.release("ann")
    scene.kernel.failure = nil
    scene.restart()
    #expect(scene.free() == Limits.readerUnits && scene.acquire("bob") == nil && scene.flaws().isEmpty)
  }

  /// Where natives count, too, the record says what the set does not.
  @Test(arguments: [0, 3, 600], [false, true])
  func aDebtOfANativeLockIsKnownToTheNextDaemon(_ natives: Int, _ isBroken: Bool) throws {
    scene.acquire("ann", "php:1234") { ($0.native, $0.limit) = (Scene.php, 2) }
    let id = try #require(scene.leases["ann"]?.id)
    if natives > 0 { _ = scene.kernel.perform([.addUndone(natives, to: 1)], set: scene.set(), process: 50) }
    scene.keepHouse()
    refuseToGiveBack(scene, times: .max)
    if isBroken { scene.breaks("ann", reason: "maintenance") } else { scene.release("ann") }
    #expect(scene.values() == [1, 1024 + natives, 0])
    // In vain again and again, and natives come meanwhile.
    scene.pass(.milliseconds(10))
    _ = scene.kernel.perform([.addUndone(1, to: 1)], set: scene.set(), process: 51)
    scene.kernel.failure = nil
    scene.restart()
    #expect(scene.values() == [2, natives + 1, 0] && scene.ledger.recovery.unitsGivenBack == 1)
    let refused = #expect(throws: LeaseholdError.self) {
      try scene.ledger.renew(id, key: nil, ttl: nil, at: scene.daemon.moment)
    }
    #expect(refused?.code == (isBroken ? .broken : .released) && scene.flaws().isEmpty)
  }

  @Test func aDebtThatIsPaidIsAnEndLikeAnyOther() throws {
    scene.acquire("ann", "apache:x") { ($0.native, $0.mode) = (Scene.apache("x"), .shared) }
    let id = try #require(scene.leases["ann"]?.id)
    // The list of an end there begins with what it takes.
    var left = 2
    scene.kernel.failure = { _, list in
      guard left > 0, list.count == 1, list[0].delta < 0 else { return nil }
      left -= 1
      return .failed(KernelFailure(.noMemory))
    }
    scene.release("ann")
    let reader = ApacheDialect.number(of: "x".utf8, halfOf: 32)
    #expect(scene.values(31_818)[reader] == 1024)
    for _ in 0..<3 { scene.pass(.milliseconds(10)) }
    #expect(scene.values(31_818)[reader] == 0)
    scene.restart()
    #expect(scene.values(31_818)[reader] == 0 && scene.ledger.recovery.unitsGivenBack == 0)
    let refused = #expect(throws: LeaseholdError.self) {
      try scene.ledger.renew(id, key: nil, ttl: nil, at: scene.daemon.moment)
    }
    #expect(refused?.code == .released && scene.flaws().isEmpty)
  }

  /// What is said is what mends it: only some errors are limits that can be raised.
  @Test(arguments: [
    (KernelErrno.noSpace, "ipcrm"), (.noMemory, "no memory"), (.listTooLong, "fewer at once"),
    (.outOfRange, "its range"), (.wouldBlock, "try again"), (.noSuchCall, "seccomp"), (.noSuchSemaphore, "log"),
  ])
  func eachErrorHasItsOwnAdvice(_ errno: KernelErrno, _ word: String) {
    scene.kernel.failure = { _, _ in .failed(KernelFailure(errno)) }
    #expect(scene.acquire("ann") == .kernelLimit)
    let detail = scene.refusals["ann"]?.detail ?? ""
    #expect(detail.contains(errno.name) && detail.contains(word), "\(detail)")
    #expect(detail.contains("ipcrm") == (errno == .noSpace))
  }

  @Test func unitsThatCouldNotBeKeptGoBackAndTheLeasesBesideThemStand() {
    let set = scene.kernel.makeForeignSet(key: 77, [2])
    func asks(_ request: inout AcquireRequest) {
      request.native = Scene.semaphore(set, 0)
    }
    #expect(scene.acquire("ann", "sysv:77.0", asks) == nil)
    // The second step of the grant: what was taken with SEM_UNDO is made permanent.
    var step = 0
    scene.kernel.failure = { _, _ in
      step += 1
      return step == 2 ? .failed(KernelFailure(.noMemory)) : nil
    }
    #expect(scene.acquire("bob", "sysv:77.0", asks) == .kernelLimit)
    scene.kernel.failure = nil
    scene.pass(.milliseconds(10))
    #expect(scene.has("ann") && scene.values(77) == [1])
    #expect(scene.acquire("cat", "sysv:77.0", asks) == nil)
    scene.release("ann")
    scene.release("cat")
    #expect(scene.values(77) == [2] && scene.flaws().isEmpty)
  }
}
