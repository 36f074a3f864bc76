@testable import Leasehold
import LeaseholdTestKit
import Testing

@Suite struct KernelWaitTests {
  /// Ann has one slot of two, a native process the other, and bob waits for one.
  private func scene(_ limits: Limits = Limits()) -> Scene {
    let scene = Scene(limits)
    scene.acquire("ann") { $0.limit = 2 }
    scene.nativeTakes(1)
    scene.queue("bob") { $0.limit = 2 }
    return scene
  }

  @Test func noThreadWaitsForWhatOnlyLeasesHold() {
    let scene = Scene()
    scene.acquire("ann")
    scene.queue("bob")
    #expect(scene.daemon.waiting.count == 0 && scene.ledger.counters.kernelWaits == 0)
  }

  @Test func aThreadWaitsForWhatANativeProcessHoldsAndHandsItOn() {
    let scene = scene()
    #expect(scene.daemon.waiting.count == 1 && scene.waits("bob"))
    scene.nativeGives(1)
    #expect(scene.has("bob") && scene.daemon.waiting.count == 0)
    let place = scene.place()
    let adjustment = scene.kernel.adjustment(
      of: SimulatedKernel.daemon, set: place?.set ?? 0, semaphore: place?.semaphore ?? 0)
    #expect(adjustment == 0, "the units are the lease's now, not the thread's")
    #expect(scene.flaws().isEmpty)
  }

  @Test func aNativeProcessThatDiesMakesRoom() {
    let scene = scene()
    scene.kernel.kill(100)
    scene.hear()
    #expect(scene.has("bob") && scene.flaws().isEmpty)
  }

  @Test func whatANativeProcessTakesBetweenReleaseAndGrantIsWaitedFor() {
    let scene = Scene()
    scene.acquire("ann") { $0.limit = 1 }
    scene.queue("bob") { $0.limit = 1 }
    #expect(scene.daemon.waiting.count == 0)
    var steps = 0
    scene.daemon.crash.interference = {
      // The native process is quick: it takes the unit as soon as it is free.
      if scene.free() == 1 { scene.nativeTakes(1) }
      steps += 1
    }
    scene.release("ann")
    scene.daemon.crash.interference = nil
    #expect(scene.waits("bob") && scene.daemon.waiting.count == 1 && steps > 0)
    scene.nativeGives(1)
    #expect(scene.has("bob") && scene.flaws().isEmpty)
  }

  @Test func theWaitFollowsTheHeadOfTheQueue() {
    let scene = Scene()
    scene.acquire("ann") { $0.limit = 4 }
    scene.nativeTakes(3)
    scene.queue("bob") {
      $0.limit = 4; $0.count = 3
    }
    scene.queue("cat") { $0.limit = 4 }
    scene.cancel("bob")
    #expect(scene.daemon.waiting.count == 1 && scene.flaws().isEmpty)
    scene.nativeGives(3)
    #expect(scene.has("cat") && scene.free() == 2 && scene.daemon.waiting.count == 0)
    #expect(scene.flaws().isEmpty)
  }

  @Test func unitsThatNobodyWantsAnyMoreGoBack() {
    let scene = scene()
    let place = scene.place()
    // The unit comes, and bob goes before the thread has said so.
    scene.kernel.give(1, set: place?.set ?? 0, semaphore: place?.semaphore ?? 0, process: 100, undoes: true)
    #expect(scene.free() == 0)
    scene.cancel("bob")
    #expect(scene.free() == 1 && scene.flaws().isEmpty)
  }

  @Test func unitsThatCameForOneWaiterServeTheNextWhoWantsAsMany() {
    let scene = scene()
    scene.queue("cat") { $0.limit = 2 }
    let place = scene.place()
    scene.kernel.give(1, set: place?.set ?? 0, semaphore: place?.semaphore ?? 0, process: 100, undoes: true)
    scene.cancel("bob")
    #expect(scene.has("cat") && scene.flaws().isEmpty)
  }

  @Test func whenEveryThreadIsBusyTheQueueIsLookedAtAgainAndAgain() {
    var limits = Limits()
    limits.pumps = 1
    let scene = scene(limits)
    scene.acquire("dan", "b") { $0.limit = 2 }
    scene.nativeTakes(1, "b")
    scene.queue("eve", "b") { $0.limit = 2 }
    #expect(scene.ledger.wantsPolling && scene.daemon.waiting.count == 1)
    scene.ledger.poll(at: scene.daemon.moment)
    scene.hear()
    #expect(scene.waits("eve") && scene.ledger.wantsPolling)
    scene.nativeGives(1, "b")
    scene.ledger.poll(at: scene.daemon.moment)
    scene.hear()
    #expect(scene.has("eve") && !scene.ledger.wantsPolling && scene.flaws().isEmpty)
  }

  @Test func aPolledQueueGetsAThreadWhenOneIsFree() {
    var limits = Limits()
    limits.pumps = 1
    let scene = scene(limits)
    scene.acquire("dan", "b") { $0.limit = 2 }
    scene.nativeTakes(1, "b")
    scene.queue("eve", "b") { $0.limit = 2 }
    scene.nativeGives(1)
    #expect(scene.has("bob"))
    scene.ledger.poll(at: scene.daemon.moment)
    #expect(!scene.ledger.wantsPolling && scene.daemon.waiting.count == 1)
  }

  @Test func aThreadThatCouldNotWaitIsReplaced() {
    let scene = scene()
    scene.daemon.waiting.failAll()
    scene.hear()
    #expect(scene.daemon.waiting.count == 1 && scene.waits("bob") && scene.flaws().isEmpty)
  }

  @Test func unitsThatArriveAfterTheSetWasRemovedAreNobodys() {
    let scene = scene()
    let report = scene.place().map { WaitReport.granted(.ofOneUnit(set: $0.set, semaphore: $0.semaphore)) }
    scene.removeSet()
    scene.keepHouse()
    #expect(scene.has("bob"), "in a new set, where no native process holds anything")
    if let report { scene.daemon.deliver(report) }
    #expect(scene.flaws().isEmpty)
  }

  @Test func anOlderWaitThatReportsLateDoesNotHideTheOneThatGoesOn() {
    let scene = Scene()
    scene.acquire("ann") { $0.limit = 4 }
    scene.nativeTakes(3)
    let place = scene.place() ?? (0, 0)
    scene.queue("bob") { $0.limit = 4 }
    scene.queue("cat") {
      $0.limit = 4; $0.count = 2
    }
    scene.queue("dan") { $0.limit = 4 }
    // Bob's unit comes, but he goes and so does cat; now a second thread waits for dan's, who is served by the first.
    scene.kernel.give(1, set: place.0, semaphore: place.1, process: 100, undoes: true)
    scene.ledger.withdraw(.waiter(scene.waiters["bob"] ?? 0), at: scene.daemon.moment)
    scene.ledger.withdraw(.waiter(scene.waiters["cat"] ?? 0), at: scene.daemon.moment)
    scene.hear()
    #expect(scene.has("dan") && scene.daemon.waiting.count == 0 && scene.flaws().isEmpty)
  }

  @Test func aGrantBeyondTheCapacityGoesBackWhateverTheValueSaid() throws {
    let scene = Scene()
    scene.acquire("ann") {
      $0.limit = 2; $0.count = 2
    }
    let place = try #require(scene.place())
    scene.queue("bob") { $0.limit = 2 }
    // A native process gives back what it never took, and a thread whose wait was canceled long ago gets it.
    scene.kernel.setValue(1, set: place.set, semaphore: place.semaphore)
    _ = scene.kernel.sleep(1, set: place.set, semaphore: place.semaphore, process: SimulatedKernel.daemon)
    scene.daemon.deliver(.granted(.ofOneUnit(set: place.set, semaphore: place.semaphore)))
    scene.hear()
    #expect(scene.waits("bob") && scene.has("ann") && scene.free() == 1)
    scene.release("ann")
    #expect(scene.has("bob"))
  }
}

extension KernelWait {
  /// A wait for one unit of an own lock in record 0, begun long ago.
  fileprivate static func ofOneUnit(set: Int32, semaphore: Int) -> KernelWait {
    let share = Share(.exclusive, units: 1)
    return KernelWait(
      number: 0, lock: 0, set: set, semaphore: semaphore, share: share,
      steps: NamedDialect(place: semaphore).counter.wait(for: share))
  }
}
