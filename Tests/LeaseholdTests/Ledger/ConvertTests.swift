import Leasehold
import LeaseholdTestKit
import Testing

@Suite struct ConvertTests {
  private let scene = Scene()

  @Test func aWriterBecomesAReaderAtOnceAndLetsReadersIn() {
    scene.acquire("ann")
    scene.queue("bob") { $0.mode = .shared }
    scene.queue("cat")
    #expect(scene.convert("ann", to: .shared) == nil && scene.leases["ann"]?.mode == .shared)
    #expect(scene.has("bob") && scene.waits("cat") && scene.has("ann"))
    #expect(scene.flaws().isEmpty)
    scene.release("ann")
    scene.release("bob")
    #expect(scene.has("cat") && scene.flaws().isEmpty)
  }

  @Test func aReaderWhoIsAloneBecomesAWriterAtOnceWithTheSameLease() {
    scene.acquire("ann") { $0.mode = .shared }
    let before = scene.leases["ann"]
    #expect(scene.convert("ann", to: .exclusive) == nil)
    #expect(scene.leases["ann"]?.id == before?.id && scene.leases["ann"]?.fence == before?.fence)
    #expect(scene.free() == 0 && scene.acquire("bob") { $0.mode = .shared } == .locked && scene.flaws().isEmpty)
    scene.restart()
    #expect(scene.has("ann") && scene.free() == 0 && scene.flaws().isEmpty)
    scene.release("ann")
    #expect(scene.free() == Limits.readerUnits && scene.flaws().isEmpty)
  }

  @Test func anUpgradeWaitsBeforeAllOthersAndKeepsItsShareMeanwhile() {
    for who in ["ann", "bob"] { scene.acquire(who) { $0.mode = .shared } }
    scene.queue("cat")
    #expect(scene.convert("ann", to: .exclusive) == .locked && scene.has("ann"))
    #expect(scene.convert("ann", to: .exclusive, for: .seconds(60), as: "up") == nil && scene.waits("up"))
    #expect(scene.free() == Limits.readerUnits - 2 && scene.flaws().isEmpty)
    scene.release("bob")
    #expect(scene.leases["up"]?.mode == .exclusive && scene.waits("cat") && scene.flaws().isEmpty)
    scene.release("up")
    #expect(scene.has("cat") && scene.flaws().isEmpty)
  }

  @Test func theLaterOfTwoUpgradesIsRefusedBecauseNeitherWouldLetTheOther() {
    for who in ["ann", "bob"] {
      scene.acquire(who) {
        $0.mode = .shared; $0.owner = who
      }
    }
    scene.convert("ann", to: .exclusive, for: .seconds(60), as: "up")
    #expect(scene.convert("ann", to: .exclusive, for: .seconds(60)) == .superseded, "one waits for this already")
    #expect(scene.convert("bob", to: .exclusive, for: .seconds(60)) == .deadlock)
    #expect(scene.convert("bob", to: .exclusive) == .deadlock, "nor without waiting")
    let circle = scene.refusals["bob"]?.circle ?? []
    #expect(circle.map(\.owner) == ["bob", "ann"] && circle.map(\.isAsking) == [true, false])
    #expect(circle.compactMap(\.ref).count == 2)
    scene.release("bob")
    #expect(scene.leases["up"]?.mode == .exclusive && scene.flaws().isEmpty)
  }

  @Test func anUpgradeEndsWithItsLeaseOrItsPatience() {
    for who in ["ann", "bob"] {
      scene.acquire(who) { $0.mode = .shared }
    }
    scene.convert("ann", to: .exclusive, for: .seconds(2), as: "up")
    scene.pass(.seconds(2))
    #expect(scene.refusal("up") == .waitTimeout && scene.has("ann"))
    scene.convert("ann", to: .exclusive, for: .seconds(60), as: "up")
    scene.release("ann")
    #expect(scene.refusal("up") == .released && scene.flaws().isEmpty)
    #expect(scene.convert("ann", to: .exclusive) == .released)
  }

  @Test func whatHasNoReadersIsNotConverted() {
    scene.acquire("ann") { $0.limit = 3 }
    scene.acquire("bob", "php:1234") { $0.native = Scene.php }
    #expect(scene.convert("ann", to: .shared) == .kindMismatch)
    #expect(scene.convert("bob", to: .shared) { $0.lock.native = Scene.php } == .kindMismatch)
    #expect(scene.flaws().isEmpty)
  }

  @Test func aNativeReaderHoldsAnUpgradeUpAndNoNativeWriterComesBetween() {
    let session = Scene.apache("s")
    scene.acquire("ann", "apache:s") {
      $0.native = session; $0.mode = .shared
    }
    let set = scene.set(31_818)
    let (reader, writer) = (session.semaphore, session.semaphore + 16)
    _ = scene.kernel.perform(
      [.expectZero(writer), .addUndone(1, to: reader)], set: set, process: 100)
    scene.convert("ann", to: .exclusive, for: .seconds(60), as: "up") { $0.lock.native = session }
    #expect(scene.waits("up") && scene.values(31_818)[reader] == 1025)
    scene.kernel.kill(100)
    scene.hear()
    #expect(scene.leases["up"]?.mode == .exclusive)
    #expect(scene.values(31_818)[reader] == 0 && scene.values(31_818)[writer] == 1024)
    #expect(scene.convert("up", to: .shared) { $0.lock.native = session } == nil)
    #expect(scene.values(31_818)[reader] == 1024 && scene.values(31_818)[writer] == 0 && scene.flaws().isEmpty)
  }

  @Test func aWaitForAConversionTakesNothingFromAnotherReader() {
    for (isOver, step) in [(false, TimeSpan.seconds(2)), (true, .zero)] {
      let scene = Scene()
      let session = Scene.apache("s")
      for who in ["ann", "bob"] {
        scene.acquire(who, "apache:s") {
          $0.native = session; $0.mode = .shared
        }
      }
      let set = scene.set(31_818)
      _ = scene.kernel.perform([.addUndone(1, to: session.semaphore)], set: set, process: 100)
      if !isOver { scene.release("bob") }
      scene.convert("ann", to: .exclusive, for: .seconds(2), as: "up") { $0.lock.native = session }
      #expect(scene.waits("up"))
      // What the kernel lets the thread have now, the ledger hears of later: first the wait is over, or the lease.
      scene.kernel.kill(100)
      if isOver {
        scene.history.letGo { $0.fence == scene.leases["ann"]?.fence }
        if let ann = scene.leases["ann"] { _ = try? scene.ledger.release(ann.id, key: nil, at: scene.daemon.moment) }
      }
      scene.daemon.clock.advance(by: step)
      _ = scene.ledger.tick(at: scene.daemon.moment, budget: 10)
      scene.ledger.housekeep(at: scene.daemon.moment)
      scene.hear()
      let (gone, kept) = isOver ? ("ann", "bob") : ("bob", "ann")
      #expect(scene.has(kept) && !scene.has(gone) && scene.values(31_818)[session.semaphore] == 1024)
      scene.release(kept)
      #expect(scene.values(31_818).allSatisfy { $0 == 0 } && scene.flaws().isEmpty)
    }
  }

  @Test func aCrashAtAnyStepOfANativeConversionLeavesOneFormOrTheOther() {
    for target in [LockMode.exclusive, .shared] {
      var step = 0
      while true {
        let scene = Scene()
        scene.acquire("ann", "apache:s") {
          $0.native = Scene.apache("s"); $0.mode = target == .exclusive ? .shared : .exclusive
        }
        scene.daemon.crash.crash(afterStep: step)
        scene.convert("ann", to: target) { $0.lock.native = Scene.apache("s") }
        guard scene.daemon.crash.hasCrashed else { break }
        scene.restart()
        scene.daemon.crash.disarm()
        let lease = scene.leases["ann"].flatMap { try? scene.ledger.lease($0.id) }
        let values = scene.values(31_818)
        let reader = Scene.apache("s").semaphore
        #expect(lease != nil, "step \(step)")
        #expect(values[reader] == (lease?.mode == .shared ? 1024 : 0), "step \(step) to \(target)")
        #expect(values[reader + 16] == (lease?.mode == .shared ? 0 : 1024), "step \(step) to \(target)")
        #expect(scene.flaws().isEmpty)
        step += 1
      }
      #expect(step > 3)
    }
  }
}
