import Leasehold
import LeaseholdTestKit
import Testing

@Suite struct ListingTests {
  private let scene = Scene()

  @Test func locksAndLeasesAreListedPageByPage() {
    for number in 0..<25 {
      scene.acquire("\(number)", "lock \(number)") { $0.owner = number % 2 == 0 ? "even" : "odd" }
    }
    var filter = ListFilter()
    filter.limit = 10
    var keys: [String] = []
    var pages = 0
    while true {
      let page = scene.ledger.leases(filter)
      keys += page.entries.map(\.key.text)
      pages += 1
      guard let next = page.nextCursor else { break }
      filter.cursor = next
    }
    #expect(Set(keys).count == 25 && keys.count == 25 && pages >= 3)
    filter = ListFilter()
    filter.owner = "odd"
    #expect(scene.ledger.leases(filter).entries.count == 12)
    filter = ListFilter()
    filter.keyPrefix = "lock 1"
    #expect(scene.ledger.locks(filter).entries.count == 11 && scene.ledger.leases(filter).entries.count == 11)
  }

  @Test func locksAreListedByTheirState() {
    scene.acquire("ann", "held")
    scene.acquire("bob", "free")
    scene.release("bob")
    scene.acquire("cat", "waited")
    scene.queue("dan", "waited")
    func listed(_ state: LockState) -> [String] {
      var filter = ListFilter()
      filter.state = state
      return scene.ledger.locks(filter).entries.map(\.key.text).sorted()
    }
    #expect(listed(.held) == ["held", "waited"] && listed(.free) == ["free"] && listed(.waited) == ["waited"])
  }

  @Test func aLockTellsWhoHoldsItAndWhoWaits() throws {
    scene.acquire("ann") {
      $0.limit = 4; $0.count = 2; $0.owner = "ann"
    }
    scene.nativeTakes(1)
    scene.queue("bob", for: .seconds(5)) {
      $0.limit = 4; $0.count = 3; $0.owner = "bob"
    }
    let lock = try scene.ledger.lock(Scene.key("a"))
    #expect(lock.available == 1 && lock.heldUnits == 2 && lock.nativeUnits == 1 && lock.capacity == 4)
    #expect(lock.holders.map(\.owner) == ["ann"] && lock.waiters.map(\.owner) == ["bob"] && lock.waiterCount == 1)
    #expect(lock.waiters.first?.until == scene.daemon.clock.now + .seconds(5))
    #expect(lock.lastPID == 100 && lock.kernelWaiters == 0 && lock.fence == scene.leases["ann"]?.fence)
  }

  @Test func aReadersWriterLockIsAvailableWhenAWriterWouldGetIn() throws {
    scene.acquire("ann") { $0.mode = .shared }
    #expect(try scene.ledger.lock(Scene.key("a")).available == 0)
    scene.release("ann")
    #expect(try scene.ledger.lock(Scene.key("a")).available == 1)
  }

  @Test func allLeasesOfAnOwnerAreReleasedOrThoseOnOneLock() {
    for key in ["a", "b", "c"] { scene.acquire(key, key) { $0.owner = key == "c" ? "bob" : "ann" } }
    scene.queue("dan", "a")
    #expect(scene.ledger.releaseAll(owner: "ann", key: Scene.key("c"), of: nil, at: scene.daemon.moment).isEmpty)
    #expect(scene.ledger.releaseAll(owner: "ann", key: Scene.key("b"), of: nil, at: scene.daemon.moment).count == 1)
    let refs = scene.ledger.releaseAll(owner: "ann", key: nil, of: nil, at: scene.daemon.moment)
    #expect(refs == [scene.leases["a"]?.ref])
    scene.hear()
    #expect(scene.end("a") == .released && scene.has("c") && scene.has("dan"))
    #expect(scene.daemon.flaws().isEmpty)
  }

  @Test func theStatusCountsWhatThereIs() {
    scene.acquire("ann")
    scene.queue("bob")
    let status = scene.ledger.status()
    #expect(status.state == .ready && status.leases == 1 && status.locks == 1 && status.waiters == 1)
    #expect(status.ledger?.records == 2 && status.ledger?.recordCapacity == 256 && status.ledger?.banks == 1)
    #expect(status.ledger?.lastFence == scene.leases["ann"]?.fence && status.counters.granted == 1)
    let place = scene.place() ?? (0, 0)
    #expect(scene.ledger.bankUse(place.0).map { [$0.locks, $0.leases] } == [1, 1])
    #expect(scene.ledger.refs(on: place.1..<place.1 + 1, of: place.0).count == 1)
    #expect(scene.ledger.refs(on: 999..<1000, of: place.0).isEmpty)
  }
}
