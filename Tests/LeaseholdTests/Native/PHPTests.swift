import Leasehold
import LeaseholdTestKit
import Testing

@Suite struct PHPTests {
  private let scene = Scene()

  private func take(_ scene: Scene, _ who: String, limit: Int? = nil, count: Int = 1) -> LeaseholdError.Code? {
    scene.acquire(who, "php:1234") {
      $0.native = Scene.php; $0.limit = limit; $0.count = count
    }
  }

  @Test func theFirstUserPutsTheLimitIntoForce() {
    #expect(take(scene, "ann", limit: 3) == nil)
    #expect(scene.values() == [2, 1024, 0] && scene.leases["ann"]?.limitApplied == true)
    #expect(take(scene, "bob", limit: 5) == nil)
    #expect(scene.values() == [1, 2048, 0] && scene.leases["bob"]?.limitApplied == false)
    scene.release("ann")
    scene.release("bob")
    #expect(scene.values() == [3, 0, 0])
    #expect(take(scene, "cat", limit: 2) == nil && scene.values() == [1, 1024, 0], "nobody was counted any more")
    #expect(scene.flaws().isEmpty)
  }

  @Test func aHandleOfPHPKeepsItsLimit() {
    let php = PHPProcess(scene, pid: 50, max: 2)
    #expect(take(scene, "ann", limit: 7) == nil && scene.leases["ann"]?.limitApplied == false)
    #expect(scene.values() == [1, 1025, 0])
    #expect(php.acquire() && !php.acquire())
    scene.release("ann")
    php.die()
    #expect(scene.values() == [2, 0, 0])
  }

  @Test func aScriptThatStartsUnderALeaseDoesNotResetIt() {
    _ = take(scene, "ann")
    let php = PHPProcess(scene, pid: 50, max: 5)
    #expect(scene.values() == [0, 1025, 0] && !php.acquire())
    scene.release("ann")
    #expect(php.acquire() && scene.values() == [0, 1, 0])
    php.die()
    #expect(scene.values() == [1, 0, 0] && scene.flaws().isEmpty)
  }

  @Test func aWaiterIsCountedSoThatNobodyResetsWhatItGets() {
    let php = PHPProcess(scene, pid: 50)
    #expect(php.acquire())
    scene.queue("ann", "php:1234") { $0.native = Scene.php }
    #expect(scene.values() == [0, 2, 0] && scene.kernel.waiters(php.set, 0) == 1)
    // The slot comes, and before the daemon hears of it PHP's handle goes and another script starts.
    _ = scene.kernel.perform([.addUndone(1, to: 0)], set: php.set, process: 50)
    _ = scene.kernel.perform([.addUndone(-1, to: 1)], set: php.set, process: 50)
    let other = PHPProcess(scene, pid: 51, max: 4)
    #expect(!other.acquire(), "the waiter has the only slot")
    scene.hear()
    #expect(scene.has("ann") && scene.values() == [0, 1025, 0])
    scene.release("ann")
    other.die()
    #expect(scene.values() == [1, 0, 0] && scene.flaws().isEmpty)
  }

  @Test func aWaiterThatGivesUpIsNotCountedAnyMore() {
    let php = PHPProcess(scene, pid: 50)
    #expect(php.acquire())
    scene.queue("ann", "php:1234") { $0.native = Scene.php }
    scene.cancel("ann")
    #expect(scene.values() == [0, 1, 0])
    php.die()
    #expect(scene.values() == [1, 0, 0])
  }

  @Test func aDaemonThatDiesWhileItWaitsLeavesNothing() {
    let php = PHPProcess(scene, pid: 50)
    #expect(php.acquire())
    scene.queue("ann", "php:1234") { $0.native = Scene.php }
    php.release()
    scene.restart()
    #expect(scene.flaws().isEmpty)
    scene.pass(.seconds(60))
    php.free()
    #expect(scene.values() == [1, 0, 0])
  }

  @Test func moreThanALedgerHoldsIsRefused() {
    #expect(take(scene, "ann", limit: 40, count: 31) == nil)
    #expect(take(scene, "bob", limit: 40) == .nativeCountFull)
    #expect(take(scene, "bob", limit: 40, count: 32) == .countExceedsLimit)
    #expect(scene.values() == [9, 31 * 1024, 0])
    scene.release("ann")
    #expect(take(scene, "cat", limit: 2, count: 3) == .countExceedsLimit)
  }

  @Test func aRemovedSetIsOpenedAnewForItsWaiters() {
    _ = take(scene, "ann")
    scene.queue("bob", "php:1234") { $0.native = Scene.php }
    let old = scene.set()
    scene.kernel.removeSet(old)
    scene.hear()
    #expect(scene.has("bob") && scene.set() != old && scene.values() == [0, 1024, 0])
    #expect(scene.release("ann") == .setRemoved)
    #expect(scene.values() == [0, 1024, 0], "its end adds nothing to the new set")
    #expect(scene.flaws().isEmpty)
  }

  @Test func anotherLayoutIsNotUsed() {
    _ = scene.kernel.makeForeignSet(key: 1234, [1, 1])
    #expect(take(scene, "ann") == .nsemsMismatch && scene.values() == [1, 1])
  }

  @Test func aRaisedGuardIsWaitedFor() {
    let set = scene.kernel.makeForeignSet(key: 1234, [1, 0, 1])
    scene.queue("ann", "php:1234") { $0.native = Scene.php }
    #expect(scene.waits("ann") && scene.values() == [1, 0, 1])
    _ = scene.kernel.perform([.add(-1, to: 2)], set: set, process: 50)
    scene.hear()
    scene.pass(.seconds(1))
    #expect(scene.has("ann") && scene.values() == [0, 1024, 0])
  }

  @Test func whoDoesNotWaitIsNotTurnedAwayByAGuard() {
    let set = scene.kernel.makeForeignSet(key: 1234, [1, 2, 1])
    #expect(take(scene, "ann") == nil && scene.waits("ann"), "PHP is in the middle of something")
    _ = scene.kernel.perform([.add(-1, to: 2)], set: set, process: 50)
    scene.hear()
    #expect(scene.has("ann") && scene.values() == [0, 1026, 0])
    scene.release("ann")
    _ = scene.kernel.perform([.add(1, to: 2)], set: set, process: 50)
    #expect(take(scene, "bob") == nil)
    scene.pass(.milliseconds(200))
    #expect(scene.refusal("bob") == .locked, "and after a moment it counts as held")
  }

  @Test func aWaiterWhoIsLeftAloneSetsTheValueItself() {
    // PHP made the set, counted itself and raised the guard, and was killed before it set SEM.
    let set = scene.kernel.makeForeignSet(key: 1234, [0, 0, 0])
    _ = scene.kernel.perform([.addUndone(1, to: 2), .addUndone(1, to: 1)], set: set, process: 50)
    scene.queue("ann", "php:1234") { $0.native = Scene.php }
    #expect(scene.waits("ann"))
    scene.kernel.kill(50)
    scene.hear()
    #expect(scene.has("ann") && scene.values() == [0, 1024, 0] && scene.flaws().isEmpty)
  }

  @Test func aLeaseOfTheServiceItselfLeavesNoTrace() {
    scene.acquire("shm", "php:1234") {
      $0.native = Scene.php; $0.leavesNoTrace = true
    }
    let records = scene.ledger.status().ledger?.records ?? 0
    scene.release("shm")
    #expect(scene.end("shm") == .noSuchLease && scene.ledger.status().ledger?.records == records - 1)
    #expect(scene.values() == [1, 0, 0] && scene.flaws().isEmpty)
  }
}
