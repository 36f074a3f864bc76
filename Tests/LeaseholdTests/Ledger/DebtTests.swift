import LeaseholdTestKit
import Testing

@testable import Leasehold

/// What must go back and cannot, because the kernel has no memory or no right for it, goes back later, once.
@Suite struct DebtTests {
  /// The kernel refuses the next operations that give something to a semaphore before they take from another.
  private func refuseToGiveBack(_ scene: Scene, errno: String = "ENOMEM", times: Int = 1) {
    var left = times
    scene.kernel.failure = { _, list in
      guard left > 0, list.count > 0, list[0].delta > 0 else { return nil }
      left -= 1
      return .failed(KernelFailure(errno: errno))
    }
  }

  @Test(arguments: ["ENOMEM", "EACCES", "EPERM", "EINTR"])
  func aSlotThatCouldNotGoBackGoesToTheQueueLater(_ errno: String) {
    let scene = Scene()
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
    let scene = Scene()
    scene.acquire("ann") { $0.limit = 2 }
    refuseToGiveBack(scene)
    scene.release("ann")
    scene.kernel.failure = nil
    #expect(scene.remove() == .inUse, "the kernel has not all of it back")
    scene.pass(.milliseconds(10))
    #expect(scene.free() == 2 && scene.remove() == nil && scene.flaws().isEmpty)
  }

  @Test func aDaemonThatDiesBeforeItCouldGiveBackLeavesItToTheNext() {
    let scene = Scene()
    scene.acquire("ann")
    refuseToGiveBack(scene)
    scene.release("ann")
    scene.kernel.failure = nil
    scene.restart()
    #expect(scene.free() == Limits.readerUnits && scene.acquire("bob") == nil && scene.flaws().isEmpty)
  }

  @Test func unitsThatCouldNotBeKeptGoBackAndTheLeasesBesideThemStand() {
    let scene = Scene()
    let set = scene.kernel.makeForeignSet(key: 77, [2])
    func asks(_ request: inout AcquireRequest) {
      request.native = Scene.semaphore(set, 0)
    }
    #expect(scene.acquire("ann", "sysv:77.0", asks) == nil)
    // The second step of the grant: what was taken with SEM_UNDO is made permanent.
    var step = 0
    scene.kernel.failure = { _, _ in
      step += 1
      return step == 2 ? .failed(KernelFailure(errno: "ENOMEM")) : nil
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
