import Glibc
import HostTestKit
import LeaseholdHost
import LeaseholdTestKit
import Synchronization
import SysV
import Testing

@testable import Leasehold
@testable import LeaseholdLocal

/// Two daemons, one ledger: whoever has the guard serves, and the other grants nothing.
@Suite struct SuccessionTests {
  private let scene = Scene()

  @Test func aGuardThatIsRemovedIsMadeAnewAtOnce() throws {
    let service = try scene.start()
    // Not at the next look of the clock: its thread cannot turn meanwhile, but for the look that it may be at.
    try service.core.withLock { _ in
      for _ in 0..<3 {
        try service.controlSet.remove()
        try eventually { scene.control.map { (try? $0.value(of: 0)) == 1 } ?? false }
      }
    }
    #expect(!service.isSucceeded)
    #expect(throws: LocalServiceError.self) { try scene.start() }
    _ = try service.take("a")
  }

  @Test func aNameInTheHeaderIsNoticedBeforeTheNextGrant() throws {
    let successor = Atomic<Int32>(0)
    let told = Shared(successor)
    scene.options.onSucceeded = { told.set($0) }
    let service = try scene.start()
    let lease = try service.take("a")
    let child = try ChildProcess(perl: Self.takeOver(service.controlSet.id, try #require(scene.segment).id))
    let control = service.controlSet
    try eventually { try control.lastProcessID(of: 0) == child.id && control.value(of: 2) == 1 }
    #expect(try service.refusal("b")?.code == .draining)
    #expect(service.isSucceeded)
    #expect(service.end(of: lease) == .draining, "its lease is the other's now")
    try eventually { told.get() == child.id }
    // Nothing that stood in the ledger was touched.
    #expect(try lease.bank.value(of: 64 + lease.place.semaphore) == 16_384)
    child.end()
    scene.stop(service)
    #expect(try scene.start().end(of: lease) == nil)
  }

  /// What another daemon does when somebody has written the guard's value to 0: takes it and puts its name into the
  /// header; then it says so by the third semaphore.
  private static func takeOver(_ set: Int32, _ segment: Int32) -> String {
    """
    semctl(\(set), 0, 16, 0) or die;
    semop(\(set), pack("s!6", 0, 0, 04000, 0, 1, 014000)) or die;
    shmwrite(\(segment), pack("Q2", $$, 4711), 24, 16) or die;
    semop(\(set), pack("s!3", 2, 1, 0)) or die;
    sleep 1 while 1;
    """
  }

  private final class Shared: Sendable {
    private let value: Atomic<Int32>
    init(_ value: consuming Atomic<Int32>) { self.value = value }
    func set(_ pid: Int32) { value.store(pid, ordering: .relaxed) }
    func get() -> Int32 { value.load(ordering: .relaxed) }
  }

  @Test func aGuardWhoseValueSomebodyWroteIsTakenAgain() throws {
    let service = try scene.start()
    try service.controlSet.setValue(0, of: 0)
    try eventually { try service.controlSet.value(of: 0) == 1 }
    try service.controlSet.setValue(7, of: 0)
    _ = try service.take("a")
    #expect(!service.isSucceeded)
  }

  @Test func aDaemonThatStartsWaitsForTheEndOfTheOneWhosePlaceItTakes() throws {
    scene.stop(try scene.start())
    let child = try ChildProcess(perl: "sleep 1 while 1")
    try withLedger(scene) { ledger in
      let facts = try #require(ProcessFacts(child.id))
      ledger.name(
        ServerMark(
          pid: UInt64(child.id), started: 1, processStarted: facts.started,
          namespace: try #require(ProcessFacts.ownNamespace())))
    }
    let options = scene.options
    let (begun, pid) = (HostClock.now(), child.id)
    let ending = HostThread {
      usleep(300_000)
      kill(pid, SIGKILL)
    }
    let service = try LocalLockService(options)
    #expect(HostClock.now() - begun >= .milliseconds(290))
    ending?.join()
    service.stop()
  }

  @Test func aProcessThatOnlyHasTheNumberOfAnEarlierDaemonIsNotWaitedFor() throws {
    scene.stop(try scene.start())
    let child = try ChildProcess(perl: "sleep 1 while 1")
    try withLedger(scene) { ledger in
      ledger.name(
        ServerMark(
          pid: UInt64(child.id), started: 1, processStarted: 1, namespace: try #require(ProcessFacts.ownNamespace())))
    }
    #expect(try scene.start().status().state == .ready, "it would say that the other still runs")
    #expect(kill(child.id, 0) == 0)
  }

  private func withLedger(_ scene: Scene, _ body: (LedgerSegment) throws -> Void) throws {
    try body(LedgerSegment.open(key: IPCKey(rawValue: scene.key), capacity: scene.options.limits.records))
  }
}
