import Leasehold
import LeaseholdTestKit
import SysVTypes
import Testing

@Suite struct RefusalTests {
  private let scene = Scene()

  @Test func aFullLedgerSaysSoAndGrantsAgainWhenThereIsRoom() {
    let scene = Scene(records: 4)
    scene.acquire("ann", "a")
    scene.acquire("bob", "b")
    #expect(scene.acquire("cat", "c") == .ledgerFull)
    #expect(scene.refusals["cat"]?.facts.contains { $0.name == "value" && $0.value == .number(4) } == true)
    #expect(scene.flaws().isEmpty)
    scene.release("ann")
    #expect(scene.acquire("cat", "a") == nil, "the remembered end makes room")
    #expect(scene.flaws().isEmpty)
  }

  @Test func aTextThatFindsNoRoomLeavesNothingBehind() {
    let scene = Scene(records: 4)
    #expect(
      scene.acquire("ann") {
        $0.owner = String(repeating: "o", count: 128); $0.idempotencyKey = longKey
      } == .ledgerFull)
    #expect(scene.ledger.status().ledger?.records == 1, "only the lock")
    #expect(scene.acquire("bob", longKey) == .ledgerFull, "room for the lock and its name, none for the lease")
    #expect(scene.flaws().isEmpty)
    scene.pass(.seconds(60))
    scene.keepHouse()
    #expect(scene.acquire("ann") == nil && scene.flaws().isEmpty)
  }

  private let longKey = String(repeating: "k", count: 255)

  @Test func aWaiterThatFindsNoRoomIsToldSo() {
    let scene = Scene(records: 3)
    scene.acquire("ann")
    scene.queue("bob") { $0.owner = String(repeating: "o", count: 128) }
    scene.release("ann")
    #expect(scene.refusal("bob") == .ledgerFull && scene.flaws().isEmpty)
  }

  @Test func withoutMemoryNothingIsTaken() {
    scene.daemon.storage.memoryLimit = 1
    #expect(scene.acquire("ann") == .kernelLimit)
    #expect(scene.flaws().isEmpty)
    scene.daemon.storage.memoryLimit = nil
    #expect(scene.acquire("ann") == nil && scene.flaws().isEmpty)
  }

  @Test func theHostsMostSetsIsNamed() {
    scene.kernel.setLimit = 0
    #expect(scene.acquire("ann") == .kernelLimit)
    let facts = scene.refusals["ann"]?.facts ?? []
    #expect(facts.contains { $0.name == "limit" && $0.value == .text("SEMMNI") })
    #expect(facts.contains { $0.name == "errno" && $0.value == .text("ENOSPC") })
    scene.kernel.setLimit = 1
    #expect(scene.acquire("ann") == nil && scene.flaws().isEmpty)
  }

  @Test(
    arguments: [(.accessDenied, .permissionDenied), (.noMemory, .kernelLimit)] as [(KernelErrno, LeaseholdError.Code)])
  func aRefusalByTheKernelLeavesNothingBehind(_ errno: KernelErrno, _ code: LeaseholdError.Code) {
    scene.acquire("ann")
    scene.queue("bob")
    scene.kernel.failure = { _, list in
      list.count == 2 && list[0].delta < 0 ? .failed(KernelFailure(errno)) : nil
    }
    #expect(scene.acquire("cat", "b") == code)
    scene.release("ann")
    #expect(scene.refusal("bob") == code && scene.flaws().isEmpty)
  }

  @Test func aLockWhoseLedgerSemaphoreWasWrittenGrantsNothing() throws {
    scene.acquire("ann")
    let place = try #require(scene.place())
    scene.kernel.setValue(0, set: place.set, semaphore: NamedDialect(place: place.semaphore).ledger)
    #expect(scene.release("ann") == nil, "for ann it is over")
    #expect(scene.ledger.counters.undoFailures == 1)
    #expect(scene.acquire("bob") == .ledgerDamaged)
    #expect(scene.remove(force: true) == nil)
    #expect(scene.acquire("bob") == nil, "in another place")
    #expect(scene.place()?.semaphore != place.semaphore)
    #expect(Invariants.check(scene.daemon, damaged: true).isEmpty)
  }

  @Test func aLedgerSemaphoreThatWasWrittenIsSeenByTheNextDaemon() throws {
    scene.acquire("ann")
    let place = try #require(scene.place())
    scene.kernel.setValue(7, set: place.set, semaphore: NamedDialect(place: place.semaphore).ledger)
    scene.restart()
    #expect(scene.has("ann") && scene.acquire("bob") == .ledgerDamaged)
    scene.release("ann")
    #expect(scene.acquire("bob") == .ledgerDamaged)
  }

  @Test func anAdministratorsResetOfAValueGivesNobodyTwoHolders() throws {
    scene.acquire("ann")
    let place = try #require(scene.place())
    scene.kernel.setValue(Limits.readerUnits, set: place.set, semaphore: place.semaphore)
    #expect(scene.acquire("bob") == .locked)
    #expect(scene.acquire("bob") { $0.mode = .shared } == .locked)
  }

  @Test func aResetOfAValueDoesNotLetAWaitingWriterInBesideAReader() throws {
    for who in ["ann", "bob"] { scene.acquire(who) { $0.mode = .shared } }
    scene.queue("writer")
    let place = try #require(scene.place())
    scene.kernel.setValue(Limits.readerUnits, set: place.set, semaphore: place.semaphore)
    scene.release("bob")
    #expect(scene.has("ann") && scene.waits("writer"))
  }

  @Test func whileItDrainsItGrantsNothingAndReleasesEverything() {
    scene.acquire("ann") { $0.limit = 2 }
    scene.nativeTakes(1)
    scene.queue("bob") { $0.limit = 2 }
    scene.queue("cat") { $0.limit = 2 }
    scene.ledger.drain()
    scene.hear()
    #expect(scene.refusal("bob") == .draining && scene.refusal("cat") == .draining)
    #expect(scene.ledger.status().ledger?.pumps == 0 && scene.ledger.status().state == .draining)
    #expect(scene.acquire("dan", "b") == .draining)
    #expect(scene.renew("ann") == nil && scene.release("ann") == nil && scene.flaws().isEmpty)
  }

  @Test func beforeTheRecoveryNothingIsGranted() {
    let crash = CrashSwitch()
    let kernel = SimulatedKernel(crash: crash)
    let ledger = Ledger(
      storage: MemoryStorage(capacity: 8, crash: crash), kernel: kernel,
      waiting: SimulatedWaiting(kernel: kernel, threadsMax: 1), limits: Limits(), makeID: { LeaseID(high: 1, low: 1) })
    guard
      case .refused(let error) = ledger.acquire(
        Scene.request("a"), client: { RecordingClient() }, at: ManualClock().moment)
    else {
      Issue.record("it was granted")
      return
    }
    #expect(error.code == .starting)
  }
}
