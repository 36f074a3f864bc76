import Leasehold
import LeaseholdTestKit
import Testing

@Suite struct QueueTests {
  private let scene = Scene()

  @Test func waitersAreServedInTheOrderTheyCame() {
    scene.acquire("ann")
    for who in ["bob", "cat", "dan"] { #expect(scene.queue(who) == nil) }
    var last = "ann"
    for who in ["bob", "cat", "dan"] {
      #expect(scene.waits(who))
      scene.pass(.seconds(1))
      scene.release(last)
      #expect(scene.has(who))
      last = who
    }
    #expect(scene.leases["dan"]?.waited == .seconds(3))
    #expect(scene.flaws().isEmpty)
  }

  @Test func aSmallCountDoesNotOvertakeABigOne() {
    scene.acquire("ann") {
      $0.limit = 5; $0.count = 4
    }
    scene.queue("bob") {
      $0.limit = 5; $0.count = 3
    }
    #expect(scene.acquire("cat") { $0.limit = 5 } == .locked, "a slot is free, but somebody waits for it")
    scene.queue("cat") { $0.limit = 5 }
    #expect(scene.waits("bob") && scene.waits("cat"))
    scene.release("ann")
    #expect(scene.has("bob") && scene.has("cat"))
    #expect(scene.flaws().isEmpty)
  }

  @Test func readersDoNotOvertakeAWriter() {
    scene.acquire("ann") { $0.mode = .shared }
    scene.queue("writer")
    scene.queue("reader") { $0.mode = .shared }
    scene.queue("other") { $0.mode = .shared }
    #expect(scene.waits("writer") && scene.waits("reader"))
    scene.release("ann")
    #expect(scene.has("writer") && scene.waits("reader"))
    scene.release("writer")
    #expect(scene.has("reader") && scene.has("other"))
  }

  @Test func nobodyWaitsLongerThanTheyAsked() {
    scene.acquire("ann")
    scene.queue("bob", for: .seconds(2))
    scene.pass(.milliseconds(1999))
    #expect(scene.waits("bob"))
    scene.pass(.milliseconds(1))
    #expect(scene.refusal("bob") == .waitTimeout)
    #expect(scene.refusals["bob"]?.contention?.holders.count == 1)
    #expect(scene.ledger.counters.timedOut == 1 && scene.flaws().isEmpty)
  }

  @Test(arguments: [true, false]) func theHeadsEndLetsTheNextIn(_ isTimeout: Bool) {
    scene.acquire("ann") {
      $0.limit = 5; $0.count = 4
    }
    scene.queue("bob", for: .seconds(2)) {
      $0.limit = 5; $0.count = 3
    }
    scene.queue("cat") { $0.limit = 5 }
    if isTimeout { scene.pass(.seconds(2)) } else { scene.cancel("bob") }
    #expect(scene.refusal("bob") == (isTimeout ? .waitTimeout : nil) && scene.has("cat"))
  }

  @Test(arguments: ["bob", "cat", "dan"]) func aWaiterLeavesFromAnyPosition(_ leaver: String) {
    scene.acquire("ann")
    let waiters = ["bob", "cat", "dan"]
    for who in waiters { scene.queue(who) }
    scene.cancel(leaver)
    #expect(scene.flaws().isEmpty && scene.ledger.status().waiters == 2)
    var last = "ann"
    for who in waiters where who != leaver {
      scene.release(last)
      #expect(scene.has(who))
      last = who
    }
    #expect(scene.clients[leaver]?.answers == 0)
  }

  @Test func leavingAfterTheGrantChangesNothing() {
    scene.acquire("ann")
    scene.queue("bob")
    let waiter = scene.waiters["bob"]
    scene.release("ann")
    scene.ledger.withdraw(.waiter(waiter ?? 0), at: scene.daemon.moment)
    #expect(scene.has("bob") && scene.ledger.counters.canceled == 0)
  }

  @Test func aGrantThatCannotBeDeliveredGoesToTheNext() throws {
    scene.acquire("ann")
    scene.queue("bob") { $0.cooldown = .seconds(60) }
    scene.queue("cat")
    scene.release("ann")
    let lease = try #require(scene.leases["bob"])
    scene.history.letGo(lease.id)
    scene.ledger.withdraw(.grant(lease.grant), at: scene.daemon.moment)
    scene.hear()
    #expect(scene.end("bob") == .undelivered && scene.has("cat"))
    #expect(scene.flaws().isEmpty)
  }

  @Test func aQueueHasAMostLength() {
    var limits = Limits()
    limits.waitersPerLock = 2
    limits.waiters = 3
    let scene = Scene(limits)
    for key in ["a", "b"] { scene.acquire(key, key) }
    #expect(scene.queue("bob") == nil && scene.queue("cat") == nil)
    #expect(scene.queue("dan") == .queueFull)
    #expect(scene.queue("dan", "b") == nil)
    #expect(scene.queue("eve", "b") == .tooManyWaiters)
    #expect(scene.flaws().isEmpty)
  }

  @Test func aRequestMaySayHowManyMayWaitBeforeIt() {
    scene.acquire("ann")
    #expect(scene.queue("bob") { $0.maxWaiters = 0 } == .queueFull)
    #expect(scene.queue("bob") { $0.maxWaiters = 1 } == nil)
    #expect(scene.queue("cat") { $0.maxWaiters = 1 } == .queueFull)
    #expect(scene.refusals["cat"]?.facts.contains { $0.name == "maximum_waiters" && $0.value == .number(1) } == true)
  }

  @Test func processesThatSleepInTheKernelCountAsWaiters() throws {
    scene.acquire("ann")
    let place = try #require(scene.place())
    _ = scene.kernel.sleep(1, set: place.set, semaphore: place.semaphore, process: 100)
    #expect(scene.queue("bob") { $0.maxWaiters = 1 } == .queueFull)
    #expect(scene.queue("bob") { $0.maxWaiters = 2 } == nil)
  }

  @Test func ourOwnWaitInTheKernelDoesNotCount() {
    scene.acquire("ann") { $0.limit = 2 }
    scene.nativeTakes(1)
    #expect(scene.queue("bob") { $0.limit = 2 } == nil)
    #expect(scene.daemon.waiting.count == 1)
    #expect(
      scene.queue("cat") {
        $0.limit = 2; $0.maxWaiters = 2
      } == nil)
  }

  @Test func withoutAWaitNobodyQueues() {
    scene.acquire("ann")
    var asked = 0
    let outcome = scene.ledger.acquire(
      Scene.request("a"),
      client: {
        asked += 1
        return RecordingClient()
      }, at: scene.daemon.moment)
    guard case .refused(let error) = outcome else {
      Issue.record("it must be refused")
      return
    }
    #expect(error.code == .locked && asked == 0, "nobody is asked whom to tell")
  }
}
