import LeaseholdTestKit
import Testing

@testable import Leasehold

/// Leases whose process is stopped before their slots go on.
@Suite struct StopTests {
  private let scene = Scene()

  private var process: SimulatedProcess { scene.daemon.processes.run(7) }

  private func take(
    _ who: String = "ann", _ key: String = "a", ttl: TimeSpan = .seconds(60), grace: TimeSpan = .seconds(5)
  ) {
    scene.acquire(who, key) { [process] request in
      request.ttl = ttl
      request.process = ProcessBinding(process, name: 7)
      request.process = request.process?.stopping(after: grace)
      request.owner = who
    }
  }

  private func end() {
    scene.history.letGo { $0.process == 7 }
    scene.daemon.endProcess(7)
    scene.hear()
  }

  private var events: [EventKind] { scene.ledger.events(from: 0, limit: 100).events.map(\.kind) }

  @Test func theProcessGetsTermAGraceBeforeTheDeadlineAndKillAtIt() {
    take()
    scene.queue("bob")
    let process = process
    scene.pass(.milliseconds(54_999))
    #expect(process.terms == 0)
    scene.pass(.milliseconds(1))
    #expect(process.terms == 1 && !process.isKilled && scene.has("ann") && events.contains(.stopping))
    scene.pass(.milliseconds(4999))
    #expect(!process.isKilled && scene.waits("bob"))
    scene.pass(.milliseconds(1))
    #expect(process.isKilled && process.hasEnded && scene.has("bob") && scene.end("ann") == .expired)
    #expect(process.terms == 1 && scene.flaws().isEmpty)
  }

  @Test func theSlotStaysUntilTheProcessIsGone() {
    scene.daemon.processes.unkillable = [7]
    take()
    scene.queue("bob")
    scene.pass(.seconds(55))
    scene.pass(.seconds(5))
    #expect(process.isKilled && scene.end("ann") == .expired && scene.waits("bob"))
    for _ in 0..<10 { scene.pass(.seconds(30)) }
    #expect(scene.waits("bob") && scene.flaws().isEmpty)
    end()
    #expect(scene.has("bob") && scene.flaws().isEmpty)
    #expect(scene.ledger.counters.ended[Int(EndReason.expired.rawValue)] == 1)
  }

  @Test func oneThatEndsByItselfAfterTermFreesItsSlotAtOnce() {
    take()
    scene.queue("bob")
    scene.pass(.seconds(55))
    end()
    #expect(scene.has("bob") && scene.flaws().isEmpty)
  }

  @Test func aRenewalMovesBothSignals() {
    take()
    scene.pass(.seconds(56))
    #expect(scene.renew("ann") == nil && process.terms == 1)
    scene.pass(.seconds(54))
    #expect(process.terms == 1 && scene.has("ann"))
    scene.pass(.seconds(1))
    #expect(process.terms == 2 && !process.isKilled)
  }

  @Test func aReleaseStopsNobody() {
    take()
    scene.release("ann")
    scene.pass(.seconds(100))
    #expect(process.terms == 0 && !process.isKilled && scene.free() == Limits.readerUnits)
  }

  @Test func aShortLeaseHasHalfOfItsTimeToItself() {
    take(ttl: .seconds(2))
    scene.pass(.milliseconds(999))
    #expect(process.terms == 0)
    scene.pass(.milliseconds(1))
    #expect(process.terms == 1)
  }

  @Test func anOperatorsGraceBeginsWithTerm() {
    take(ttl: .zero)
    scene.queue("bob", for: .seconds(2000))
    let process = process
    scene.pass(.seconds(1000))
    scene.breaks("ann", after: .seconds(20))
    scene.pass(.milliseconds(1))
    #expect(process.terms == 1 && scene.waits("bob"))
    scene.pass(.seconds(20))
    #expect(process.isKilled && scene.has("bob") && scene.end("ann") == .broken && scene.flaws().isEmpty)
  }

  @Test func anOperatorWhoEndsItNowKills() {
    scene.daemon.processes.unkillable = [7]
    take()
    scene.queue("bob")
    scene.breaks("ann")
    scene.hear()
    #expect(process.isKilled && process.terms == 0 && scene.end("ann") == .broken && scene.waits("bob"))
    end()
    #expect(scene.has("bob") && scene.flaws().isEmpty)
  }

  @Test func afterARestartTermComesFirstAndTheWholeGrace() {
    take()
    scene.queue("bob")
    let process = process
    scene.pass(.seconds(58))
    #expect(process.terms == 1)
    scene.restart()
    scene.pass(.milliseconds(1))
    #expect(process.terms == 2 && scene.has("ann"))
    scene.pass(.milliseconds(4998))
    #expect(!process.isKilled && scene.has("ann"))
    scene.pass(.milliseconds(1))
    #expect(process.isKilled && scene.end("ann") == .expired && scene.flaws().isEmpty)
    scene.acquire("cat")
    #expect(scene.has("cat"))
  }

  @Test func aRestartAfterKillKeepsTheSlotAndBeginsAnew() {
    scene.daemon.processes.unkillable = [7]
    take()
    scene.pass(.seconds(55))
    scene.pass(.seconds(5))
    #expect(process.isKilled && scene.end("ann") == .expired)
    scene.restart()
    scene.pass(.milliseconds(1))
    #expect(process.terms == 2 && scene.acquire("bob") == .locked)
    scene.pass(.seconds(100))
    #expect(scene.acquire("bob") == .locked && scene.flaws().isEmpty)
    end()
    #expect(scene.acquire("cat") == nil && scene.flaws().isEmpty)
  }

  @Test func aProcessThatEndedMeanwhileFreesTheSlotRightAfterARestart() {
    scene.daemon.processes.unkillable = [7]
    take()
    scene.pass(.seconds(55))
    scene.pass(.seconds(5))
    scene.daemon.processes.end(7)
    scene.restart()
    #expect(scene.acquire("bob") == nil && scene.flaws().isEmpty)
  }

  @Test func severalLocksGoOnTogetherWhenTheProcessIsGone() {
    scene.daemon.processes.unkillable = [7]
    scene.acquire("ann", several: ["a", "b"]) { [process] wants in
      wants[0].process = ProcessBinding(process, name: 7)
      wants[0].process = wants[0].process?.stopping(after: .seconds(5))
    }
    scene.queue("bob", "b")
    scene.pass(.seconds(100))
    scene.pass(.seconds(100))
    #expect(process.isKilled && scene.waits("bob"))
    end()
    #expect(scene.has("bob") && scene.flaws().isEmpty)
  }

  @Test func aRetryHasTheSameWishAndNoOther() {
    func take(_ grace: TimeSpan?) -> LeaseholdError.Code? {
      scene.acquire("ann") { [process] request in
        request.process = ProcessBinding(process, name: 7)
        request.process = request.process?.stopping(after: grace)
        request.idempotencyKey = "key"
      }
    }
    #expect(take(.seconds(5)) == nil && take(.seconds(5)) == nil)
    #expect(scene.leases["ann"]?.replayed == true && scene.leases["ann"]?.stopGrace == .seconds(5))
    #expect(scene.leases["ann"]?.cooldown == .zero)
    #expect(take(.seconds(6)) == .idempotencyMismatch && take(nil) == .idempotencyMismatch)
  }

  @Test func afterTermARetryThatBindsTheSameProcessDoesNotKillIt() {
    func ask() -> LeaseholdError.Code? {
      scene.acquire("ann") { [process] request in
        request.ttl = .seconds(60)
        request.process = ProcessBinding(process, name: 7)
        request.process = request.process?.stopping(after: .seconds(5))
        request.idempotencyKey = "key"
      }
    }
    #expect(ask() == nil)
    scene.pass(.seconds(56))
    #expect(process.terms == 1 && ask() == nil)
    scene.pass(.seconds(1))
    #expect(!process.isKilled && process.terms == 1 && scene.leases["ann"]?.isStopping == true)
  }

  @Test func aBreakAfterTermSendsNoSecondOne() {
    scene.daemon.processes.unkillable = [7]
    take()
    scene.pass(.seconds(56))
    scene.breaks("ann", after: .seconds(2))
    scene.pass(.seconds(1))
    #expect(process.terms == 1 && !process.isKilled && scene.renew("ann") == .broken)
    scene.pass(.seconds(1))
    #expect(process.terms == 1 && process.isKilled && scene.end("ann") == .broken)
  }

  @Test func aClockThatWasLateLeavesAllOfTheGrace() {
    scene.daemon.processes.unkillable = [7]
    take()
    scene.pass(.seconds(100))
    #expect(process.terms == 1 && !process.isKilled && scene.has("ann"))
    scene.pass(.milliseconds(4999))
    #expect(!process.isKilled)
    scene.pass(.milliseconds(1))
    #expect(process.isKilled)
  }

  @Test func listsSayThatItIsStoppedAndRefusalsSayWhatTheLockWaitsFor() throws {
    scene.daemon.processes.unkillable = [7]
    take()
    scene.pass(.seconds(55))
    let stopping = try #require(scene.ledger.lock(Scene.key("a")).holders.first)
    #expect(stopping.state == .held && stopping.isStopping && stopping.deadline != nil)
    scene.pass(.seconds(5))
    let stopped = try #require(scene.ledger.lock(Scene.key("a")).holders.first)
    #expect(stopped.state == .stopping && stopped.isStopping && stopped.deadline == nil)
    #expect(scene.acquire("bob") == .locked)
    #expect(scene.refusals["bob"]?.detail.contains("when the process of its last lease is gone") == true)
    #expect(scene.breaks("ann") == .expired && scene.release("ann") == .expired)
    #expect(Array(scene.ledger.counters.stops) == [1, 1])
  }

  @Test func theSlotsOfAProcessThatCannotBeFoundAgainStayTakenUntilAnOperatorEndsTheLease() {
    take()
    scene.daemon.processes.hidden = [7]
    scene.restart()
    for _ in 0..<10 { scene.pass(.seconds(30)) }
    #expect(scene.acquire("bob") == .locked && process.terms == 0 && !process.isKilled)
    scene.restart()
    for _ in 0..<10 { scene.pass(.seconds(30)) }
    #expect(scene.acquire("bob") == .locked)
    scene.breaks("ann")
    #expect(scene.acquire("bob") == nil && !process.isKilled)
  }

  @Test func oneThatIsFoundLaterIsStoppedOrFreesItsSlots() {
    for lives in [true, false] {
      let scene = Scene()
      let process = scene.daemon.processes.run(7)
      scene.acquire("ann") { request in
        request.process = ProcessBinding(process, name: 7)
        request.process = request.process?.stopping(after: .seconds(5))
      }
      scene.daemon.processes.hidden = [7]
      scene.restart()
      scene.pass(.seconds(30))
      scene.keepHouse()
      #expect(scene.acquire("bob") == .locked)
      scene.daemon.processes.hidden = []
      if !lives { scene.daemon.processes.end(7) }
      scene.pass(.seconds(30))
      scene.keepHouse()
      scene.pass(.milliseconds(1))
      #expect(process.terms == (lives ? 1 : 0) && scene.acquire("bob") == (lives ? .locked : nil))
    }
  }

  @Test func theNextDaemonThatFindsItStopsIt() {
    take()
    scene.daemon.processes.hidden = [7]
    scene.restart()
    for _ in 0..<10 { scene.pass(.seconds(30)) }
    scene.daemon.processes.hidden = []
    let process = process
    scene.restart()
    scene.pass(.milliseconds(1))
    #expect(process.terms == 1 && scene.acquire("bob") == .locked)
    scene.pass(.seconds(60))
    #expect(process.isKilled && scene.acquire("bob") == nil && scene.flaws().isEmpty)
  }

  @Test func whatIsAddedToALeaseAndConvertedIsStoppedWithIt() {
    scene.daemon.processes.unkillable = [7]
    scene.acquire("ann") { [process] request in
      request.mode = .shared
      request.ttl = .seconds(60)
      request.process = ProcessBinding(process, name: 7)
      request.process = request.process?.stopping(after: .seconds(5))
    }
    #expect(scene.convert("ann", to: .exclusive) == nil && scene.add("ann", ["b"]) == nil)
    scene.restart()
    #expect(scene.leases["ann"].map { (try? scene.ledger.lease($0.id))?.stopGrace } == .seconds(5))
    scene.pass(.seconds(55))
    scene.pass(.seconds(60))
    #expect(process.isKilled && scene.acquire("bob", "b") == .locked && scene.acquire("cat", "a") == .locked)
    end()
    #expect(scene.acquire("bob", "b") == nil && scene.acquire("cat", "a") == nil && scene.flaws().isEmpty)
  }

  @Test func whoGetsTheLeaseOfAnotherIsNotStoppedForIt() {
    take()
    scene.transfer("ann", to: "eve", owner: "eve")
    scene.pass(.seconds(59))
    #expect(process.terms == 0 && scene.has("eve") && scene.leases["eve"]?.stopGrace == nil)
    scene.pass(.seconds(1))
    #expect(process.terms == 0 && scene.acquire("bob") == nil && scene.flaws().isEmpty)
  }
}
