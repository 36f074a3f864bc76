import Leasehold
import LeaseholdTestKit
import Testing

@Suite struct RemovalTests {
  private let scene = Scene()

  @Test func forceDoesNotTakeWhatANativeProcessHolds() {
    scene.acquire("ann") { $0.limit = 2 }
    scene.nativeTakes(1)
    #expect(scene.remove(force: true) == .inUse)
    #expect(scene.ledger.status().locks == 1 && scene.flaws().isEmpty)
    scene.kernel.kill(100)
    #expect(scene.remove() == nil)
  }

  @Test func forceOnASetThatIsGoneForgetsTheLockOnce() {
    scene.acquire("ann")
    scene.acquire("bob", "b")
    scene.removeSet()
    #expect(scene.remove(force: true) == nil)
    #expect(scene.flaws().isEmpty)
    #expect(scene.acquire("cat") == nil && scene.acquire("dan", "b") == nil)
    #expect(scene.flaws().isEmpty)
  }

  @Test func idleLocksAreCollectedAfterAWhile() {
    scene.acquire("ann", "a")
    scene.acquire("bob", "b")
    scene.acquire("cat", "c")
    scene.release("ann")
    scene.release("cat")
    scene.nativeTakes(1, "c")
    scene.pass(.seconds(25))
    scene.keepHouse()
    #expect(scene.ledger.status().locks == 3)
    scene.renew("bob", ttl: .seconds(100))
    scene.pass(.seconds(35))
    scene.keepHouse()
    #expect(
      scene.ledger.locks(ListFilter()).entries.map(\.key.text).sorted() == ["b", "c"], "a is idle, c has a native")
    #expect(scene.flaws().isEmpty)
  }

  @Test func anEmptySetGoesBackToTheHost() {
    var limits = Limits()
    limits.idleLocks = .seconds(1)
    let scene = Scene(limits, records: 400)
    for number in 0..<NamedDialect.locksPerBank + 1 { scene.acquire("\(number)", "lock \(number)") }
    #expect(scene.kernel.banks().count == 2)
    scene.release("64")
    scene.release("3")
    scene.pass(.seconds(1))
    scene.keepHouse()
    #expect(scene.kernel.banks().count == 1 && scene.ledger.status().ledger?.banks == 1 && scene.flaws().isEmpty)
  }

  @Test func aRemovedSetEndsItsLeasesAndItsWaitersGoOn() {
    scene.acquire("ann")
    scene.queue("bob")
    scene.queue("cat")
    scene.acquire("dan", "b")
    let follower = RecordingClient()
    if let id = scene.leases["dan"]?.id { #expect(scene.ledger.follow(id, client: follower)) }
    scene.removeSet()
    scene.keepHouse()
    #expect(follower.end == .setRemoved)
    let removed = scene.ledger.takeEnds(isNewSecond: false).sets
    #expect(removed.map(\.leases) == [2] && removed.allSatisfy(\.isOwn))
    #expect(scene.ledger.takeEnds(isNewSecond: true).sets.isEmpty)
    #expect(scene.end("ann") == .setRemoved && scene.end("dan") == .setRemoved)
    #expect(scene.has("bob") && scene.waits("cat"))
    scene.release("bob")
    #expect(scene.has("cat") && scene.ledger.counters.setsRemoved == 1 && scene.flaws().isEmpty)
  }

  @Test(arguments: ["release", "acquire", "expire", "close"])
  func aRemovedSetIsNoticedByWhateverTouchesIt(_ what: String) {
    scene.acquire("ann") { $0.bindsConnection = true }
    scene.queue("bob")
    scene.acquire("cat", "b") { $0.limit = 3 }
    scene.removeSet()
    switch what {
    case "release": scene.release("ann")
    case "acquire":
      #expect(
        scene.acquire("dan", "b") {
          $0.limit = 3; $0.count = 2
        } == nil)
    case "expire": scene.pass(.seconds(30))
    default: scene.ledger.withdraw(.connection(1), at: scene.daemon.moment)
    }
    scene.hear()
    #expect(scene.has("bob") && !scene.has("cat") && scene.flaws().isEmpty)
  }

  @Test func theNextAcquireMakesANewSetAtOnce() {
    scene.acquire("ann")
    scene.release("ann")
    scene.removeSet()
    #expect(scene.acquire("bob", "another lock") == nil, "the set was gone before it was asked for")
    #expect(scene.acquire("cat") == nil && scene.flaws().isEmpty)
  }

  @Test func whatSleptOnARemovedSetWaitsOnTheNewOne() {
    scene.acquire("ann") { $0.limit = 2 }
    scene.nativeTakes(1)
    scene.queue("bob") {
      $0.limit = 2; $0.count = 2
    }
    scene.queue("cat") {
      $0.limit = 2; $0.count = 2
    }
    scene.removeSet()
    scene.hear()
    scene.keepHouse()
    #expect(scene.has("bob") && scene.waits("cat") && scene.flaws().isEmpty)
  }
}
