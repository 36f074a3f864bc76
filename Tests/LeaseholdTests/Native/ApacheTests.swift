import Leasehold
import LeaseholdTestKit
import Testing

@Suite struct ApacheTests {
  private let scene = Scene()

  /// What Perl 5.36 answers for `$h = 31 * $h + ord for split //, $id; $h % 16`.
  static let numbers: [(String, Int)] = [
    ("a", 1), ("ab", 1), ("0123456789ab", 6), ("0123456789abc", 0), ("deadbeefdeadbeefdeadbeefdeadbeef", 0),
  ]

  @Test(arguments: numbers) func aSessionHasPerlsNumber(_ session: String, _ number: Int) {
    #expect(ApacheDialect.number(of: session.utf8, halfOf: 32) == number)
  }

  @Test func oddSizesAreCutAsPerlCutsThem() {
    #expect(ApacheDialect.number(of: "32e3958e429f4b".utf8, halfOf: 47) == 0, "as Perl 5.36 has it")
    let dialect = ApacheDialect(reader: 1, of: 5)
    #expect(dialect.semaphore == 1 && dialect.companion == 3)
  }

  @Test func theLastTwoOfThreeAreThoseOfShareLite() {
    let dialect = ApacheDialect(reader: ShareLite.reader, of: ShareLite.semaphores)
    #expect(dialect.semaphore == 1 && dialect.companion == 2)
    let share = NativeRequest(
      .apache, at: .key(1971), semaphore: ShareLite.reader, count: ShareLite.semaphores, permissions: 0o666)
    #expect(
      scene.acquire("ann", "sharelite:1971") {
        $0.native = share; $0.mode = .shared
      } == nil)
    #expect(
      scene.values(1971) == [0, 1024, 0] && scene.acquire("bob", "sharelite:1971") { $0.native = share } == .locked)
    // Under another spelling it is the same lock.
    scene.release("ann")
    #expect(scene.acquire("bob", "sharelite:0x7b3") { $0.native = share } == nil)
    #expect(scene.values(1971) == [0, 0, 1024] && scene.flaws().isEmpty)
    scene.release("bob")
    #expect(scene.values(1971) == [0, 0, 0])
  }

  private func take(_ scene: Scene, _ who: String, _ mode: LockMode, _ session: String = "a") -> LeaseholdError.Code? {
    scene.acquire(who, "apache:\(session)") {
      $0.native = Scene.apache(session); $0.mode = mode
    }
  }

  @Test func readersShareAndAWriterIsAlone() {
    #expect(take(scene, "ann", .shared) == nil && take(scene, "bob", .shared) == nil)
    #expect(scene.values(31_818)[1] == 2048 && take(scene, "cat", .exclusive) == .locked)
    scene.release("ann")
    scene.release("bob")
    #expect(take(scene, "cat", .exclusive) == nil && scene.values(31_818)[17] == 1024)
    #expect(take(scene, "dan", .shared) == .locked && take(scene, "eve", .exclusive) == .locked)
    scene.release("cat")
    #expect(scene.values(31_818) == Array(repeating: 0, count: 32) && scene.flaws().isEmpty)
  }

  @Test func whatPerlHoldsKeepsOthersOutAndIsToldFromLeases() throws {
    _ = take(scene, "ann", .shared)
    _ = scene.kernel.perform([.expectZero(17), .addUndone(1, to: 1)], set: scene.set(31_818), process: 50)
    let lock = try scene.ledger.lock(Scene.key("apache:a"), Scene.apache("a"))
    #expect(lock.nativeUnits == 1 && lock.heldUnits == 1 && lock.available == 0)
    scene.queue("cat", "apache:a") { $0.native = Scene.apache("a") }
    scene.release("ann")
    #expect(scene.waits("cat"))
    scene.kernel.kill(50)
    scene.hear()
    #expect(scene.has("cat") && scene.values(31_818)[17] == 1024)
  }

  @Test func sessionsOfOneNumberAreOneLockUnderTheirOwnNames() throws {
    #expect(take(scene, "ann", .exclusive, "0123456789abcdef") == nil)
    #expect(take(scene, "bob", .shared, "fedcba9876543210") == .locked)
    scene.restart()
    let lease = try #require(scene.leases["ann"])
    #expect(try scene.ledger.lease(lease.id).key.text == "apache:0123456789abcdef")
    scene.queue("bob", "apache:fedcba9876543210") {
      $0.native = Scene.apache("fedcba9876543210"); $0.mode = .shared
    }
    scene.release("ann")
    #expect(scene.has("bob") && scene.leases["bob"]?.key.text == "apache:fedcba9876543210")
    scene.restart()
    let second = try #require(scene.leases["bob"])
    #expect(try scene.ledger.lease(second.id).key.text == "apache:fedcba9876543210")
    #expect(scene.flaws().isEmpty)
  }

  @Test func whatNoRecordAccountsForIsNatives() {
    _ = take(scene, "ann", .shared)
    _ = scene.kernel.perform([.add(1024, to: 1)], set: scene.set(31_818), process: 50)
    scene.restart()
    #expect(scene.values(31_818)[1] == 2048 && scene.ledger.status().ledger?.recovery.unitsGivenBack == 0)
    scene.release("ann")
    #expect(scene.values(31_818)[1] == 1024)
  }

  @Test func aReaderThatDoesNotFitWaitsForOneThatGoes() {
    for reader in 0..<31 { #expect(take(scene, "r\(reader)", .shared) == nil) }
    #expect(take(scene, "last", .shared) == .nativeCountFull)
    scene.queue("last", "apache:a") {
      $0.native = Scene.apache("a"); $0.mode = .shared
    }
    scene.pass(.seconds(1))
    #expect(scene.waits("last") && scene.flaws().isEmpty)
    scene.release("r7")
    #expect(scene.has("last") && scene.values(31_818)[1] == 31 * 1024)
    // Natives go, which no release tells: the queue is looked at.
    _ = scene.kernel.perform([.add(500, to: 1)], set: scene.set(31_818), process: 50)
    scene.release("r8")
    _ = scene.kernel.perform([.add(100, to: 1)], set: scene.set(31_818), process: 50)
    scene.queue("late", "apache:a") {
      $0.native = Scene.apache("a"); $0.mode = .shared
    }
    #expect(scene.waits("late"))
    _ = scene.kernel.perform([.add(-600, to: 1)], set: scene.set(31_818), process: 50)
    scene.pass(.milliseconds(10))
    #expect(scene.has("late") && scene.flaws().isEmpty)
  }

  @Test func whatALostLedgerLeftBehindStaysAsItMayBeNatives() {
    let set = scene.kernel.makeForeignSet(key: 31_818, Array(repeating: 0, count: 32))
    _ = scene.kernel.perform([.add(1100, to: 1)], set: set, process: 50)
    scene.pass(Limits().ttlMax)
    scene.keepHouse()
    scene.pass(.seconds(120))
    for _ in 0..<3 { scene.keepHouse() }
    #expect(take(scene, "ann", .exclusive) == .locked && scene.values(31_818)[1] == 1100)
  }
}
