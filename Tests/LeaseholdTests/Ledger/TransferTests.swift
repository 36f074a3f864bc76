import Leasehold
import LeaseholdTestKit
import Testing

@Suite struct TransferTests {
  private let scene = Scene()

  @Test func theNewIdIsHeldAndTheOldOneIsOver() throws {
    scene.acquire("ann") {
      $0.owner = "ann"; $0.cooldown = .seconds(5); $0.limit = 3; $0.count = 2
    }
    let free = scene.free()
    #expect(scene.transfer("ann", to: "eve") == nil && scene.has("eve") && scene.free() == free)
    #expect(scene.end("ann") == .released && scene.problem("ann")?.fact("reason") == .text("transferred"))
    #expect(scene.renew("ann") == .released && scene.release("ann") == .released && scene.has("eve"))
    let (old, new) = (try #require(scene.leases["ann"]), try #require(scene.leases["eve"]))
    #expect(new.id != old.id && new.fence > old.fence && new.owner == "ann" && new.deadline == old.deadline)
    #expect((new.count, new.units, new.cooldown, new.mode) == (old.count, old.units, old.cooldown, old.mode))
    #expect(scene.release("eve") == nil && scene.free() == 3 && scene.flaws().isEmpty)
  }

  @Test func anOwnerADeadlineAndABindingAreNew() throws {
    scene.acquire("ann") {
      $0.bindsConnection = true; $0.ttl = .zero
    }
    #expect(scene.transfer("ann", to: "eve") == .outOfRange && scene.has("ann"))
    #expect(
      scene.transfer("ann", to: "eve", owner: "eve") {
        $0.process = ProcessBinding(scene.daemon.processes.run(7), name: 7)
      } == nil)
    let lease = try #require(scene.leases["eve"])
    #expect(lease.owner == "eve" && lease.process == 7 && lease.deadline == nil && !lease.bindsConnection)
    scene.ledger.withdraw(.connection(1), at: scene.daemon.moment)
    scene.restart()
    #expect(scene.has("eve"))
    #expect(scene.transfer("eve", to: "dan") { $0.ttl = .seconds(10) } == nil)
    scene.daemon.endProcess(7)
    #expect(scene.has("dan"))
    scene.pass(.seconds(11))
    #expect(scene.end("dan") == .expired && scene.flaws().isEmpty)
  }

  @Test func aRetryOfTheOldAcquireIsToldThatItIsOver() {
    scene.acquire("ann") { $0.idempotencyKey = "key" }
    scene.transfer("ann", to: "eve")
    #expect(scene.acquire("ann") { $0.idempotencyKey = "key" } == .released && scene.has("eve"))
  }

  @Test func aLeaseThatIsBrokenOrOverIsNotTransferred() {
    scene.acquire("ann")
    scene.breaks("ann", after: .seconds(5))
    #expect(scene.transfer("ann", to: "eve") == .broken)
    scene.release("ann")
    #expect(scene.transfer("ann", to: "eve") == .released)
  }

  @Test func whoeverFollowsTheOldLeaseHearsOfItsEnd() throws {
    scene.acquire("ann")
    let client = RecordingClient()
    #expect(scene.ledger.follow(try #require(scene.leases["ann"]).id, client: client))
    scene.transfer("ann", to: "eve")
    #expect(client.end == .transferred)
  }

  @Test func afterACrashAtAnyStepExactlyOneOfBothIdsIsHeld() throws {
    var outcomes: Set<String> = []
    for step in 0..<12 {
      for recoveryStep in [nil, 0, 1, 2, 3] {
        let scene = Scene()
        scene.acquire("ann", CrashScript.long) { $0.owner = String(repeating: "ann", count: 30) }
        let old = try #require(scene.leases["ann"])
        scene.daemon.crash.crash(afterStep: step)
        scene.transfer("ann", to: "eve", owner: String(repeating: "eve", count: 30))
        scene.restart(crashAfterStep: recoveryStep)
        if scene.daemon.crash.hasCrashed { scene.restart() }
        scene.daemon.crash.disarm()
        let held = scene.ledger.leases(ListFilter()).entries
        #expect(held.count == 1 && scene.daemon.flaws().isEmpty, "crash at \(step), then at \(recoveryStep ?? -1)")
        let isOld = held.first?.id == old.id
        outcomes.insert(isOld ? "old" : "new")
        #expect(held.first?.owner?.hasPrefix(isOld ? "ann" : "eve") == true)
        if !isOld { #expect(scene.problem("ann")?.fact("reason") == .text("transferred")) }
      }
    }
    #expect(outcomes == ["old", "new"])
  }
}
