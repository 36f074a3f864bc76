import Leasehold
import LeaseholdTestKit
import Testing

@Suite struct CounterTests {
  private let scene = Scene()

  private let pathKey: Int32 = SimulatedKernel(crash: CrashSwitch()).key(of: Scene.path([1])) ?? 0

  private func take(_ scene: Scene, _ who: String, _ native: NativeRequest) -> LeaseholdError.Code? {
    scene.acquire(who, native.dialect == .path ? "path:/tmp/x" : "sysv:id:1.0") {
      $0.native = native
      if native.isEndless { $0.ttl = .zero }
    }
  }

  @Test func aSetOfOurMakingCountsWhatIsOut() {
    #expect(take(scene, "ann", Scene.path([2, 3], sem: 1)) == nil && scene.leases["ann"]?.limitApplied == true)
    #expect(Array(scene.values(pathKey).prefix(4)) == [2, 2, 0, 1])
    #expect(take(scene, "bob", Scene.path([9, 9], sem: 1)) == nil && scene.leases["bob"]?.limitApplied == false)
    scene.restart()
    scene.release("ann")
    scene.release("bob")
    #expect(Array(scene.values(pathKey).prefix(4)) == [2, 3, 0, 0] && scene.flaws().isEmpty)
  }

  @Test func aSetOfAnotherProgramHasNoRoomAndIsUsedAllTheSame() {
    _ = scene.kernel.makeForeignSet(key: pathKey, [1])
    #expect(take(scene, "ann", Scene.path([1])) == nil && scene.values(pathKey) == [0])
    #expect(take(scene, "bob", Scene.path([1])) == .locked)
    scene.restart()
    #expect(scene.values(pathKey) == [0] && scene.has("ann"), "the lease is the ledger's, not the process's")
    scene.release("ann")
    #expect(scene.values(pathKey) == [1] && scene.flaws().isEmpty)
  }

  @Test func aSemaphoreThatDoesNotExistIsNotMade() {
    #expect(take(scene, "ann", Scene.semaphore(7, 0)) == .noSuchSet)
    let set = scene.kernel.makeForeignSet(key: 5, [4])
    #expect(take(scene, "ann", Scene.semaphore(set, 1)) == .outOfRange)
  }

  @Test func everyWaiterOfAPathSleepsInTheKernel() {
    _ = take(scene, "ann", Scene.path([1]))
    for who in ["bob", "cat", "dan"] { scene.queue(who, "path:/tmp/x") { $0.native = Scene.path([1]) } }
    #expect(scene.kernel.waiters(scene.set(pathKey), 0) == 3)
    scene.cancel("cat")
    #expect(scene.kernel.waiters(scene.set(pathKey), 0) == 2)
    scene.release("ann")
    #expect(scene.has("bob") && scene.waits("dan") && scene.kernel.waiters(scene.set(pathKey), 0) == 1)
    scene.release("bob")
    #expect(scene.has("dan") && scene.flaws().isEmpty)
  }

  @Test func nativeWaitersCountAgainstMaxWaiters() {
    _ = take(scene, "ann", Scene.path([1]))
    _ = scene.kernel.sleep(1, set: scene.set(pathKey), semaphore: 0, process: 50)
    func ask(_ waitersMax: Int) -> LeaseholdError.Code? {
      scene.queue("bob", "path:/tmp/x") {
        $0.native = Scene.path([1]); $0.maxWaiters = waitersMax
      }
    }
    #expect(ask(1) == .queueFull && ask(2) == nil && scene.waits("bob"))
  }

  @Test func aLeaseWithoutUndoNeverEndsByItself() {
    #expect(take(scene, "ann", Scene.path([1], endless: true)) == nil && scene.leases["ann"]?.deadline == nil)
    scene.restart()
    scene.pass(.seconds(100_000))
    #expect(scene.has("ann") && scene.renew("ann") == .invalidParameter)
    scene.release("ann")
    #expect(scene.values(pathKey)[0] == 1)
  }

  @Test func oneSemaphoreIsOneLockHoweverItIsNamed() {
    _ = take(scene, "ann", Scene.path([1]))
    #expect(take(scene, "bob", Scene.semaphore(scene.set(pathKey), 0)) == .locked)
    scene.release("ann")
    #expect(take(scene, "bob", Scene.semaphore(scene.set(pathKey), 0)) == nil)
    #expect(Array(scene.values(pathKey).prefix(2)) == [0, 1], "what is known of the set is kept up")
  }

  @Test func waitersOfASemaphoreThatMustExistAreSentAwayWhenItGoes() {
    let set = scene.kernel.makeForeignSet(key: 5, [0])
    scene.queue("ann", "sysv:5.0") { $0.native = Scene.semaphore(set, 0) }
    scene.kernel.removeSet(set)
    scene.hear()
    #expect(scene.refusals["ann"]?.code == .setRemoved || scene.clients["ann"]?.refusal?.code == .setRemoved)
  }

  @Test func aSetThatIsMadeIsMadeAgainWhileAWaiterAsksForThat() {
    let made = Scene.madeSemaphore(1, value: 2)
    scene.acquire("ann", "sysv:1234.1") {
      $0.native = made; $0.count = 2
    }
    #expect(scene.values() == [2, 0])
    scene.queue("bob", "sysv:1234.1") { $0.native = made }
    scene.queue("cat", "sysv:1234.1") {
      $0.native = NativeRequest(.sysv, at: .key(1234), semaphore: 1, count: 0, permissions: 0)
    }
    for _ in 0..<2 {
      scene.kernel.removeSet(scene.set())
      scene.hear()
    }
    #expect(scene.end("ann") == .setRemoved && scene.has("bob"))
    #expect(scene.refusals["cat"]?.code == .setRemoved || scene.clients["cat"]?.refusal?.code == .setRemoved)
  }

  @Test func aSmallWishBehindALargeOneDoesNotTakeWhatItCannotUse() {
    _ = take(scene, "ann", Scene.path([3]))
    #expect(scene.kernel.take(2, set: scene.set(pathKey), semaphore: 0, process: 50, undoes: true))
    scene.queue("bob", "path:/tmp/x") {
      $0.native = Scene.path([3]); $0.count = 2
    }
    scene.queue("cat", "path:/tmp/x") { $0.native = Scene.path([3]) }
    let before = scene.ledger.status().counters.kernelWaits
    scene.release("ann")
    #expect(scene.waits("bob") && scene.waits("cat") && scene.values(pathKey)[0] == 1)
    #expect(scene.ledger.status().counters.kernelWaits - before <= 2)
    scene.kernel.kill(50)
    scene.hear()
    #expect(scene.has("bob") && scene.has("cat") && scene.flaws().isEmpty)
  }
}
