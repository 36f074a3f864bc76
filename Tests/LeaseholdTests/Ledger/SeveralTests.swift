import Leasehold
import LeaseholdTestKit
import Testing

@Suite struct SeveralTests {
  private let scene = Scene()

  @Test func severalLocksAreTakenAllAtOnceOnOneLease() {
    scene.acquire("ann", several: ["a", "b", "c"]) { wants in
      wants[1].mode = .shared
      (wants[2].limit, wants[2].count) = (5, 2)
      wants[0].owner = "ann"
    }
    #expect(scene.leases["ann"]?.parts.map(\.key.text) == ["a", "b", "c"])
    #expect(scene.leases["ann"]?.parts.map(\.units) == [Limits.readerUnits, 1, 2])
    #expect(scene.free("a") == 0 && scene.free("b") == Limits.readerUnits - 1 && scene.free("c") == 3)
    #expect(scene.acquire("bob", "a") == .locked && scene.acquire("bob", "b") == .locked)
    #expect(scene.ledger.status().leases == 1 && scene.ledger.leases(ListFilter()).entries.count == 1)
    #expect((try? scene.ledger.lock(Scene.key("b")))?.holders.first?.owner == "ann")
    #expect(scene.flaws().isEmpty)
    scene.release("ann")
    #expect(scene.free("a") == Limits.readerUnits && scene.free("c") == 5 && scene.flaws().isEmpty)
  }

  @Test func whoReleasesTwiceIsToldSoByAnyOfTheLocks() throws {
    scene.acquire("ann", several: ["a", "b"])
    let id = try #require(scene.leases["ann"]?.id)
    scene.release("ann")
    for key in ["a", "b"] {
      #expect(try scene.ledger.release(id, key: Scene.key(key), at: scene.daemon.moment).already, "by \(key)")
    }
  }

  @Test func whatIsNotFreeLeavesTheOthersFree() {
    scene.acquire("ann", "b")
    #expect(scene.acquire("bob", several: ["a", "b", "c"]) == .locked)
    #expect(scene.refusals["bob"]?.contention?.key.text == "b")
    #expect(scene.free("a") == Limits.readerUnits && scene.free("c") == Limits.readerUnits)
    #expect(scene.flaws().isEmpty)
  }

  @Test func whoWaitsForSeveralHoldsNothingAndIsNotOvertaken() {
    scene.acquire("ann", "b")
    scene.acquire("bob", several: ["a", "b"]) { $0[0].wait = .seconds(60) }
    #expect(scene.waits("bob") && scene.free("a") == Limits.readerUnits, "a is free while bob waits")
    #expect(scene.acquire("cat", "a") == .locked, "a is free, but bob came first")
    scene.queue("cat", "a")
    scene.queue("dan", "b")
    scene.release("ann")
    #expect(scene.has("bob") && scene.waits("cat") && scene.waits("dan"))
    scene.release("bob")
    #expect(scene.has("cat") && scene.has("dan") && scene.flaws().isEmpty)
  }

  @Test func whoeverLeavesLetsThoseBehindGo() {
    for way in 0..<3 {
      let scene = Scene()
      scene.acquire("ann", "b")
      scene.acquire("bob", several: ["a", "b"]) { $0[0].wait = .seconds(5) }
      scene.queue("cat", "a")
      switch way {
      case 0: scene.cancel("bob")
      case 1: scene.pass(.seconds(5))
      default: scene.remove("b", force: true)
      }
      #expect(!scene.has("bob") && scene.has("cat") && scene.flaws().isEmpty, "way \(way)")
    }
  }

  @Test func requestsForTheSameLocksInAnyOrderNeverWaitForEachOther() {
    scene.acquire("ann", several: ["a", "b"])
    scene.acquire("bob", several: ["b", "c", "a"]) { $0[0].wait = .seconds(60) }
    scene.acquire("cat", several: ["c", "a"]) { $0[0].wait = .seconds(60) }
    scene.acquire("dan", several: ["a", "b"]) { $0[0].wait = .seconds(60) }
    scene.release("ann")
    #expect(scene.has("bob") && scene.waits("cat") && scene.waits("dan"))
    scene.release("bob")
    #expect(scene.has("cat") && scene.waits("dan"))
    scene.release("cat")
    #expect(scene.has("dan") && scene.flaws().isEmpty)
  }

  @Test func aRequestThatExcludesItselfIsRefusedAtOnce() {
    #expect(scene.acquire("ann", several: ["a", "b", "a"]) { $0[0].wait = .seconds(60) } == .sameLockTwice)
    #expect(scene.acquire("ann", several: ["a", "a"]) { $0[0].mode = .shared } == .sameLockTwice)
    #expect(
      scene.acquire("ann", several: ["s", "t"]) { wants in
        for (index, session) in ["0000000000000a", "0000000000000b"].enumerated() {
          wants[index].native = Scene.apache(session)
        }
      } == .sameLockTwice, "two sessions, one number")
    #expect(
      scene.acquire("ann", several: ["c", "c"]) { wants in
        for index in wants.indices { (wants[index].limit, wants[index].count) = (3, 2) }
      } == .sameLockTwice)
    #expect(
      scene.acquire("ann", several: ["a", "a"]) { wants in for index in wants.indices { wants[index].mode = .shared } }
        == nil, "readers do not exclude each other")
    #expect(scene.flaws().isEmpty)
    scene.release("ann")
    #expect(scene.free("a") == Limits.readerUnits && scene.flaws().isEmpty)
  }

  @Test func bothPartsOfOneLockLiveThroughARestart() throws {
    scene.acquire("ann", several: ["a", "c", "a"]) { wants in
      (wants[0].mode, wants[2].mode, wants[1].limit) = (.shared, .shared, 3)
    }
    scene.restart()
    #expect(scene.free("a") == Limits.readerUnits - 2 && scene.flaws().isEmpty)
    #expect(try scene.ledger.lease(try #require(scene.leases["ann"]).id).parts.count == 3)
    scene.release("ann")
    #expect(scene.free("a") == Limits.readerUnits && scene.free("c") == 3 && scene.flaws().isEmpty)
  }

  @Test func severalLocksEndAsOne() {
    scene.acquire("ann", several: ["a", "b"]) { $0[0].ttl = .seconds(2) }
    #expect(scene.renew("ann", ttl: .seconds(5)) == nil)
    scene.queue("bob", "b")
    scene.pass(.seconds(4))
    #expect(scene.has("ann") && scene.waits("bob"))
    scene.pass(.seconds(1))
    #expect(scene.end("ann") == .expired && scene.has("bob") && scene.free("a") == Limits.readerUnits)
    #expect(scene.flaws().isEmpty)
  }

  @Test func aRetryGetsTheSameLocks() {
    for who in ["ann", "bob"] { scene.acquire(who, several: ["a", "b"]) { $0[0].idempotencyKey = "k" } }
    #expect(scene.leases["ann"]?.id == scene.leases["bob"]?.id && scene.leases["bob"]?.replayed == true)
    #expect(scene.acquire("cat", several: ["a", "c"]) { $0[0].idempotencyKey = "k" } == .idempotencyMismatch)
    for who in ["dan", "eve"] {
      scene.acquire(who, several: ["b", "c"]) { ($0[0].idempotencyKey, $0[0].wait) = ("w", .seconds(60)) }
    }
    #expect(scene.refusal("dan") == .superseded || scene.clients["dan"]?.refusal?.code == .superseded)
    scene.release("ann")
    #expect(scene.has("eve") && scene.flaws().isEmpty)
  }

  @Test func aSetThatIsRemovedEndsTheWholeLease() {
    scene.acquire("ann", several: ["a", "php:1234"]) { $0[1].native = Scene.php }
    #expect(scene.values() == [0, 1024, 0])
    scene.kernel.removeSet(scene.set())
    scene.keepHouse()
    #expect(scene.end("ann") == .setRemoved && scene.free("a") == Limits.readerUnits)
    #expect(scene.flaws().isEmpty)
  }

  @Test func locksOfEveryKindGoTogether() {
    scene.acquire("ann", several: ["a", "php:1234", "apache:x", "path:/tmp/x"]) { wants in
      (wants[1].native, wants[1].limit) = (Scene.php, 2)
      (wants[2].native, wants[2].mode) = (Scene.apache("x"), .shared)
      wants[3].native = Scene.path([3])
    }
    #expect(scene.has("ann") && scene.values() == [1, 1024, 0] && scene.flaws().isEmpty)
    #expect(scene.acquire("bob", several: ["b", "apache:x"]) { $0[1].native = Scene.apache("x") } == .locked)
    #expect(scene.free("b") == Limits.readerUnits, "b was given back")
    scene.restart()
    #expect(scene.has("ann") && scene.leases["ann"]?.parts.count == 4 && scene.flaws().isEmpty)
    scene.release("ann")
    #expect(scene.values() == [2, 0, 0] && scene.flaws().isEmpty)
  }

  @Test func aNativeHolderOfOneOfThemIsWaitedForWithoutTakingAnything() {
    scene.acquire("ann", "b")
    #expect(!scene.nativeTakes(1, "b"))
    scene.release("ann")
    #expect(scene.nativeTakes(1, "b"))
    scene.acquire("bob", several: ["a", "b"]) { $0[0].wait = .seconds(60) }
    #expect(scene.waits("bob") && scene.daemon.waiting.count == 1 && scene.flaws().isEmpty)
    #expect(scene.free("a") == Limits.readerUnits && scene.free("b") == Limits.readerUnits - 1)
    scene.nativeGives(1, "b")
    #expect(scene.has("bob") && scene.free("b") == 0 && scene.flaws().isEmpty)
  }

  @Test func aLeaseOfSeveralIsHandedOverWhole() {
    scene.acquire("ann", several: ["a", "b", "php:1234"]) { $0[2].native = Scene.php }
    scene.transfer("ann", to: "eve", owner: "eve")
    #expect(!scene.has("ann") && scene.has("eve") && scene.flaws().isEmpty)
    #expect(scene.leases["eve"]?.parts.map(\.key.text) == ["a", "b", "php:1234"])
    let shown = try? scene.ledger.lock(Scene.key("b"))
    #expect(shown?.holders.first?.owner == "eve" && shown?.fence == scene.leases["eve"]?.fence)
    scene.restart()
    #expect(scene.has("eve") && scene.acquire("bob", "b") == .locked && scene.flaws().isEmpty)
    scene.transfer("eve", to: "fay", owner: "fay")
    scene.restart()
    #expect(scene.has("fay") && scene.values() == [0, 1024, 0] && scene.flaws().isEmpty)
    scene.release("fay")
    #expect(scene.free("b") == Limits.readerUnits && scene.values() == [1, 0, 0] && scene.flaws().isEmpty)
  }

  @Test func aLeaseOfSeveralEndsWithItsProcessOrByAnOperator() {
    scene.acquire("ann", several: ["a", "b"]) { wants in
      wants[0].process = ProcessBinding(scene.daemon.processes.run(7), name: 7)
      wants[0].ttl = .zero
    }
    scene.restart()
    #expect(scene.has("ann") && scene.flaws().isEmpty)
    scene.history.letGo { $0.process == 7 }
    scene.daemon.endProcess(7)
    #expect(!scene.has("ann") && scene.free("b") == Limits.readerUnits && scene.flaws().isEmpty)
    scene.acquire("bob", several: ["a", "b"])
    scene.breaks("bob", after: .seconds(1))
    scene.pass(.seconds(2))
    #expect(scene.end("bob") == .broken)
    #expect(scene.free("a") == Limits.readerUnits)
    #expect(scene.flaws().isEmpty)
  }

  @Test func aRestartKeepsLeasesOfSeveralLocks() {
    scene.acquire("ann", several: ["a", "b", String(repeating: "long", count: 50)])
    scene.convert("ann", "b", to: .shared)
    scene.restart()
    #expect(scene.has("ann") && scene.free("b") == Limits.readerUnits - 1 && scene.free("a") == 0)
    #expect(scene.flaws().isEmpty)
    #expect(scene.acquire("bob", "b") { $0.mode = .shared } == nil)
    #expect(scene.flaws().isEmpty)
    scene.release("ann")
    #expect(scene.free("a") == Limits.readerUnits && scene.flaws().isEmpty)
  }
}
