import LeaseholdTestKit
import Testing

@testable import Leasehold

@Suite struct DriftTests {
  private let scene = Scene()

  private func drift(_ scene: Scene) -> [String] {
    scene.ledger.takeDriftReports().map { "\($0.reason ?? "") \($0.count)" }
  }

  private func endKind(_ scene: Scene) -> [String] {
    scene.ledger.events(from: 0, limit: 100).events.map(\.kind.name)
  }

  @Test func aSoundHostHasNone() {
    scene.acquire("ann", "a") { $0.limit = 3 }
    scene.nativeTakes(1)
    scene.acquire("php", "php:1234") {
      $0.native = Scene.php
      $0.limit = 2
    }
    scene.acquire("perl", "apache:x") { $0.native = Scene.apache("x") }
    scene.acquire("con", "path:/tmp/x") { $0.native = Scene.path([2]) }
    scene.keepHouse()
    #expect(drift(scene).isEmpty)
    for who in ["ann", "php", "perl", "con"] { #expect(scene.release(who) == nil) }
    scene.keepHouse()
    #expect(drift(scene).isEmpty)
  }

  @Test func aSurplusOnAnOwnLockIsTakenAway() throws {
    scene.acquire("ann") { $0.limit = 3 }
    let place = try #require(scene.place())
    scene.kernel.setValue(7, set: place.set, semaphore: place.semaphore)
    scene.keepHouse()
    #expect(drift(scene) == ["surplus 5"])
    #expect(scene.free() == 2)
    #expect(scene.has("ann"))
    scene.release("ann")
    #expect(scene.free() == 3)
    scene.keepHouse()
    #expect(drift(scene).isEmpty)
  }

  @Test func aLedgerThatSomebodyWroteIsFoundBeforeAnyEnd() throws {
    scene.acquire("ann") { $0.limit = 3 }
    let place = try #require(scene.place())
    scene.kernel.setValue(0, set: place.set, semaphore: place.semaphore + NamedDialect.locksPerBank)
    scene.keepHouse()
    #expect(drift(scene) == ["uncounted 1"])
    #expect(scene.has("ann"))
    #expect(scene.acquire("bob") { $0.limit = 3 } == .ledgerDamaged)
    scene.release("ann")
    #expect(scene.free() == 2)
    scene.keepHouse()
    #expect(drift(scene).isEmpty)
  }

  @Test func leasesThatPHPDoesNotCountAnyMoreAreBrokenAndGiveNothingBack() throws {
    for who in ["ann", "bob"] {
      scene.acquire(who, "php:1234") {
        $0.native = Scene.php
        $0.limit = 3
      }
    }
    // Somebody sets the semaphore up anew: all free, nobody counted but one of the two.
    scene.kernel.setValue(3, set: scene.set(), semaphore: 0)
    scene.kernel.setValue(1024, set: scene.set(), semaphore: 1)
    scene.keepHouse()
    #expect(drift(scene) == ["uncounted 1"])
    #expect(scene.end("ann") == .rewritten)
    #expect(scene.end("bob") == .rewritten)
    #expect(scene.values() == [3, 1024, 0], "what is counted may be natives'")
    #expect(endKind(scene) == ["granted", "granted", "drift", "broken", "broken"])
  }

  @Test func anEndFindsOutBeforeHousekeepingDoes() {
    scene.acquire("ann", "php:1234") { $0.native = Scene.php }
    scene.kernel.setValue(1, set: scene.set(), semaphore: 0)
    scene.kernel.setValue(0, set: scene.set(), semaphore: 1)
    #expect(scene.release("ann") == .rewritten)
    #expect(scene.values() == [1, 0, 0])
    scene.acquire("bob", "php:1234") {
      $0.native = Scene.php
      $0.ttl = .seconds(1)
    }
    scene.kernel.setValue(1, set: scene.set(), semaphore: 0)
    scene.kernel.setValue(0, set: scene.set(), semaphore: 1)
    scene.pass(.seconds(2))
    #expect(scene.end("bob") == .rewritten)
    #expect(scene.values() == [1, 0, 0])
  }

  @Test func endsGiveBackNoMoreThanTheCapacity() {
    for who in ["ann", "bob", "cid"] {
      scene.acquire(who, "php:1234") {
        $0.native = Scene.php; $0.limit = 3
      }
    }
    #expect(scene.values() == [0, 3072, 0])
    _ = scene.kernel.perform([.add(2, to: 0)], set: scene.set(), process: 100)
    scene.keepHouse()
    #expect(drift(scene) == ["surplus 2"])
    scene.keepHouse()
    #expect(drift(scene).isEmpty)
    #expect(scene.release("ann") == nil)
    #expect(scene.release("bob") == nil)
    #expect(scene.values() == [2, 1024, 0])
    #expect(scene.release("cid") == nil)
    #expect(scene.values() == [3, 0, 0])
  }

  @Test func slotsThatAProgramAddsToAPathLockAreItsToUse() {
    scene.acquire("ann", "path:/tmp/x") { $0.native = Scene.path([1]) }
    let key = scene.ledger.locks(ListFilter()).entries.first?.place.key ?? 0
    _ = scene.kernel.perform([.add(1, to: 0)], set: scene.set(key), process: 100)
    scene.keepHouse()
    #expect(drift(scene).isEmpty)
    #expect(scene.acquire("bob", "path:/tmp/x") { $0.native = Scene.path([1]) } == .locked, "its limit is in force")
    scene.queue("cat", "path:/tmp/x") { $0.native = Scene.path([1]) }
    scene.pass(.seconds(1))
    #expect(scene.waits("cat"))
    scene.release("ann")
    #expect(scene.has("cat") && scene.release("cat") == nil)
    scene.pass(.seconds(3600))
    for _ in 0..<3 { scene.keepHouse() }
    #expect(scene.values(key).prefix(2) == [2, 0])
    #expect(scene.acquire("dan", "path:/tmp/x") { $0.native = Scene.path([1]) } == nil)
    #expect(scene.acquire("eve", "path:/tmp/x") { $0.native = Scene.path([1]) } == .locked)
  }

  @Test func theLimitOfASetThatWasMadeHereIsKnownAfterARestartHoweverLongNobodyUsedIt() {
    func ask(_ who: String) -> LeaseholdError.Code? {
      scene.acquire(who, "path:/tmp/x") { $0.native = Scene.path([1]) }
    }
    #expect(ask("ann") == nil && scene.release("ann") == nil)
    let key = scene.ledger.locks(ListFilter()).entries.first?.binding?.key ?? 0
    scene.pass(.seconds(3600))
    for _ in 0..<3 { scene.keepHouse() }
    scene.restart()
    _ = scene.kernel.perform([.add(1, to: 0)], set: scene.set(key), process: 100)
    #expect(ask("ann") == nil && ask("bob") == .locked && scene.leases["ann"]?.kind.limit == 1)
    scene.release("ann")
    scene.kernel.removeSet(scene.set(key))
    scene.pass(.seconds(3600))
    for _ in 0..<3 { scene.keepHouse() }
    #expect(scene.ledger.locks(ListFilter()).entries.isEmpty)
  }

  @Test func apacheReadersThatAreNotCountedAnyMoreAreBroken() throws {
    for who in ["ann", "bob"] {
      scene.acquire(who, "apache:x") {
        $0.native = Scene.apache("x")
        $0.mode = .shared
      }
    }
    let reader = ApacheDialect.number(of: "x".utf8, halfOf: 32)
    scene.kernel.setValue(0, set: scene.set(31_818), semaphore: reader)
    scene.keepHouse()
    #expect(drift(scene) == ["uncounted 2"])
    #expect(scene.end("ann") == .rewritten)
    #expect(scene.values(31_818)[reader] == 0)
  }

  @Test func aWriteUnderALeaseThatNothingCountsBreaksIt() {
    let set = scene.kernel.makeForeignSet(key: 77, [2])
    scene.acquire("ann", "sysv:id:\(set).0") { $0.native = Scene.semaphore(set, 0) }
    scene.keepHouse()
    #expect(drift(scene).isEmpty)
    scene.kernel.setValue(2, set: set, semaphore: 0)
    // Granted after the write: not touched by it.
    scene.acquire("bob", "sysv:id:\(set).0") { $0.native = Scene.semaphore(set, 0) }
    #expect(scene.release("ann") == .rewritten)
    #expect(drift(scene) == ["rewritten 1"])
    #expect(scene.kernel.value(set, 0) == 1)
    #expect(scene.release("bob") == nil)
    #expect(scene.kernel.value(set, 0) == 2)
  }

  @Test func aNewModeIsNoWrite() {
    let set = scene.kernel.makeForeignSet(key: 77, [2])
    scene.acquire("ann", "sysv:id:\(set).0") { $0.native = Scene.semaphore(set, 0) }
    scene.kernel.setMode(0o600, set: set)
    scene.keepHouse()
    #expect(drift(scene).isEmpty)
    #expect(scene.release("ann") == nil)
    #expect(scene.kernel.value(set, 0) == 2)
  }

  @Test func aWriteToAnotherSemaphoreOfTheSetIsNoMatter() {
    let set = scene.kernel.makeForeignSet(key: 77, [2, 2])
    scene.acquire("ann", "sysv:id:\(set).0") { $0.native = Scene.semaphore(set, 0) }
    scene.acquire("bob", "sysv:id:\(set).1") { $0.native = Scene.semaphore(set, 1) }
    scene.kernel.setValue(5, set: set, semaphore: 1)
    scene.keepHouse()
    #expect(drift(scene) == ["rewritten 1"])
    #expect(scene.has("ann"))
    #expect(scene.end("bob") == .rewritten)
    #expect(scene.release("ann") == nil)
    #expect([scene.kernel.value(set, 0), scene.kernel.value(set, 1)] == [2, 5])
  }

  @Test func whoWaitsGoesOnWhenLeasesAreBroken() {
    let set = scene.kernel.makeForeignSet(key: 77, [1])
    scene.acquire("ann", "sysv:id:\(set).0") { $0.native = Scene.semaphore(set, 0) }
    scene.queue("bob", "sysv:id:\(set).0") { $0.native = Scene.semaphore(set, 0) }
    scene.kernel.setValue(1, set: set, semaphore: 0)
    scene.hear()
    scene.keepHouse()
    #expect(scene.end("ann") == .rewritten)
    #expect(scene.has("bob"))
    #expect(scene.release("bob") == nil)
    #expect(scene.kernel.value(set, 0) == 1)
  }

  @Test func aModeThatIsThereAlreadyIsNoWrite() {
    for count in [1, 2] {
      let scene = Scene()
      let set = scene.kernel.makeForeignSet(key: 77, [Int](repeating: 2, count: count))
      scene.acquire("ann", "sysv:id:\(set).0") { $0.native = Scene.semaphore(set, 0) }
      // Another program took a slot, and a third one sets the mode that is there, as Log4perl does at its start.
      scene.keepHouse()
      _ = scene.kernel.perform([.addUndone(-1, to: 0)], set: set, process: 100)
      scene.keepHouse()
      scene.kernel.setMode(0o666, set: set)
      scene.keepHouse()
      #expect(drift(scene).isEmpty && scene.has("ann"))
      scene.restart()
      scene.kernel.setMode(0o666, set: set)
      scene.keepHouse()
      #expect(drift(scene).isEmpty && scene.release("ann") == nil)
      #expect(scene.kernel.value(set, 0) == 1)
    }
  }

  /// What natives do between two looks, beside a lease on one of three slots of which they have one.
  private func beside(_ operations: [Int], mode: UInt32 = 0o666) -> (scene: Scene, set: Int32) {
    let set = scene.kernel.makeForeignSet(key: 77, [3])
    scene.acquire("ann", "sysv:id:\(set).0") { $0.native = Scene.semaphore(set, 0) }
    scene.keepHouse()
    _ = scene.kernel.perform([.add(-1, to: 0)], set: set, process: 100)
    scene.keepHouse()
    for number in operations { _ = scene.kernel.perform([.add(number, to: 0)], set: set, process: 200) }
    scene.kernel.setMode(mode, set: set)
    return (scene, set)
  }

  @Test(arguments: [[-1], [1], [-1, 1], [1, -1], [-1, 1, 1], [1, -1, -1]], [0o666, 0o600] as [UInt32])
  func operationsOfNativesBesideAModeAreNoWrite(_ operations: [Int], _ mode: UInt32) {
    let (scene, set) = beside(operations, mode: mode)
    scene.keepHouse()
    #expect(drift(scene).isEmpty && scene.has("ann"))
    let free = 1 + operations.reduce(0, +)
    #expect(scene.release("ann") == nil && scene.kernel.value(set, 0) == free + 1)
  }

  /// Whoever hides behind what natives do: no more leases than slots, and no slot of a lease is free.
  @Test(arguments: [0, 1, 2, 3, 7], [[], [-1], [1], [-1, 1]] as [[Int]])
  func aWriteBesideOperationsNeverLeadsToMoreLeasesThanTheLimit(_ value: Int, _ operations: [Int]) {
    let (scene, set) = beside(operations, mode: 0o600)
    scene.kernel.setValue(value, set: set, semaphore: 0, process: 300)
    // It is no write of what a lease has where less is free than natives could have left.
    let isCovered = !operations.isEmpty && value <= 2
    #expect((scene.acquire("bob", "sysv:id:\(set).0") { $0.native = Scene.semaphore(set, 0) } == nil) == (value > 0))
    #expect((scene.end("ann") == .rewritten) == !isCovered)
    for who in ["cat", "dan", "eve"] { scene.acquire(who, "sysv:id:\(set).0") { $0.native = Scene.semaphore(set, 0) } }
    let holders = (try? scene.ledger.lock(Scene.key("sysv:id:\(set).0"), Scene.semaphore(set, 0)).holders.count) ?? 0
    #expect(holders <= (value > 3 ? 4 : 3), "\(value), \(operations)")
  }

  @Test func aModeDoesNotHideAWrite() {
    let set = scene.kernel.makeForeignSet(key: 77, [2])
    scene.acquire("ann", "sysv:id:\(set).0") { $0.native = Scene.semaphore(set, 0) }
    scene.keepHouse()
    scene.kernel.setValue(2, set: set, semaphore: 0, process: 100)
    scene.kernel.setMode(0o600, set: set)
    #expect(scene.release("ann") == .rewritten && scene.kernel.value(set, 0) == 2)
  }

  /// A thread that slept for a waiter has what it waited for before the ledger hears of it.
  @Test func whatAThreadOfOursJustGotIsNoDrift() {
    let locks: [(name: String, native: NativeRequest?, mode: LockMode)] = [
      ("a", nil, .exclusive), ("php:1234", Scene.php, .exclusive), ("path:/tmp/x", Scene.path([1]), .exclusive),
      ("apache:x", Scene.apache("x"), .exclusive), ("apache:x", Scene.apache("x"), .shared),
    ]
    for (name, native, mode) in locks {
      let scene = Scene()
      scene.acquire("ann", name) { ($0.native, $0.mode) = (native, .exclusive) }
      scene.queue("bob", name) { ($0.native, $0.mode) = (native, mode) }
      scene.queue("cat", name) { ($0.native, $0.mode) = (native, mode) }
      for who in ["ann", "bob", "cat"] {
        guard let lease = scene.leases[who] else { continue }
        _ = try? scene.ledger.release(lease.id, key: nil, at: scene.daemon.moment)
        for _ in 0..<2 { scene.ledger.housekeep(at: scene.daemon.moment) }
        #expect(drift(scene).isEmpty, "\(name)")
        scene.hear()
      }
      #expect(scene.leases["cat"] != nil && drift(scene).isEmpty, "\(name)")
    }
  }

  @Test func aWriteOfAValueThatIsThereAlreadyIsAWrite() {
    let set = scene.kernel.makeForeignSet(key: 77, [2])
    scene.acquire("ann", "sysv:id:\(set).0") { $0.native = Scene.semaphore(set, 0) }
    scene.kernel.setValue(1, set: set, semaphore: 0, process: 100)
    #expect(scene.release("ann") == .rewritten && scene.kernel.value(set, 0) == 1)
  }

  @Test func whoComesRightAfterAResetIsNotBroken() {
    for natives in [1, 1100] {
      let scene = Scene()
      let set = scene.kernel.makeForeignSet(key: 1234, [1, 1, 0])
      scene.acquire("ann", "php:1234") { $0.native = Scene.php }
      _ = scene.kernel.perform([.add(natives - 1, to: 1)], set: set, process: 100)
      scene.keepHouse()
      // A program writes back what it read before the lease.
      for (number, value) in [1, natives, 0].enumerated() {
        scene.kernel.setValue(value, set: set, semaphore: number, process: 100)
      }
      scene.queue("bob", "php:1234") { $0.native = Scene.php }
      #expect(scene.end("ann") == .rewritten, "\(natives)")
      if natives > 512 {
        #expect(scene.waits("bob") && scene.values() == [1, natives, 0])
        _ = scene.kernel.perform([.add(-1000, to: 1)], set: set, process: 100)
        scene.pass(.seconds(1))
      }
      scene.keepHouse()
      #expect(scene.has("bob") && scene.release("bob") == nil)
      #expect(scene.values() == [1, natives > 512 ? natives - 1000 : natives, 0])
    }
  }

  @Test func aValueWrittenUnderAPHPLeaseIsTheWritersToCount() {
    scene.acquire("ann", "php:1234") { $0.native = Scene.php }
    let php = PHPProcess(scene, pid: 50)
    scene.kernel.setValue(1, set: php.set, semaphore: 0, process: 60)
    #expect(php.acquire())
    scene.keepHouse()
    #expect(drift(scene) == ["rewritten 1"] && scene.end("ann") == .rewritten)
    #expect(scene.values() == [0, 1, 0])
    php.release()
    #expect(scene.acquire("bob", "php:1234") { $0.native = Scene.php } == nil)
    #expect(scene.acquire("cat", "php:1234") { $0.native = Scene.php } == .locked)
    scene.release("bob")
    php.free()
    #expect(scene.values() == [1, 0, 0])
  }
}
