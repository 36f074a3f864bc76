import LeaseholdTestKit
import SysVTypes
import Testing

@testable import Leasehold

/// Who waits for raw operations, and who is in their way, as lists and refusals tell.
@Suite struct OperationWaitTests {
  private static func step(_ semaphore: UInt16, _ delta: Int16, undoes: Bool = true) -> SemaphoreOperation {
    SemaphoreOperation(semaphore: semaphore, delta: delta, flags: undoes ? .undo : [])
  }

  private final class Place {
    let scene = Scene()
    let set: Int32

    init(_ values: [Int]) { set = scene.kernel.makeForeignSet(key: 77, values) }

    var ledger: Ledger { scene.ledger }

    func request(_ steps: [SemaphoreOperation], _ owner: String, wait: TimeSpan = .zero) -> OperationRequest {
      var request = OperationRequest(
        address: .id(set), steps: steps, wait: wait, caller: Caller(connection: 1, peer: .unknown))
      (request.ttl, request.owner) = (.seconds(30), owner)
      return request
    }

    @discardableResult
    func take(_ steps: [SemaphoreOperation], _ owner: String) throws -> LeaseSnapshot {
      let list = steps.map { SemaphoreOperation.addUndone(Int($0.delta), to: Int($0.semaphore)) }
      #expect(scene.kernel.operate(set, list: list) == .done)
      return try ledger.lease(
        request(steps, owner), on: BankID(set: set, key: 77), count: scene.values(77).count, waited: .zero,
        at: scene.daemon.moment)
    }

    func refusal(
      _ steps: [SemaphoreOperation], _ code: LeaseholdError.Code = .locked, wait: TimeSpan = .zero
    ) -> LeaseholdError {
      ledger.operationsBusy(
        code, request(steps, "me", wait: wait), on: BankID(set: set, key: 77), "id:\(set)",
        at: scene.daemon.moment.monotonic)
    }

    func shown(_ number: Int) throws -> LockSnapshot {
      try ledger.lock(Scene.key("sysv:id:\(set).\(number)"), Scene.semaphore(set, number))
    }
  }

  @Test func theFirstStepThatWouldWaitIsTheKernels() {
    let cases: [(steps: [SemaphoreOperation], values: [UInt16], first: Int?)] = [
      ([Self.step(0, -1)], [1], nil), ([Self.step(0, -2)], [1], 0), ([Self.step(0, 0)], [0], nil),
      ([Self.step(0, 0)], [1], 0), ([Self.step(0, 1), Self.step(0, -1)], [0], nil),
      ([Self.step(0, -1), Self.step(0, -1)], [1], 1), ([Self.step(1, -1), Self.step(0, -1)], [0, 1], 1),
      ([Self.step(7, -1)], [0], nil), ([Self.step(0, -1), Self.step(0, 0)], [1], nil),
    ]
    for (number, (steps, values, first)) in cases.enumerated() {
      #expect(SemaphoreOperation.firstToWait(steps, values) == first.map { steps[$0] }, "case \(number)")
    }
  }

  @Test func aRefusalNamesTheSemaphoreAndThoseWhoHoldIt() throws {
    let place = Place([1, 1, 5])
    try place.take([Self.step(0, -1)], "ann")
    try place.take([Self.step(1, -1)], "bob")
    let refusal = place.refusal([Self.step(2, -1), Self.step(1, -1)])
    #expect(refusal.contention?.holders.map(\.owner) == ["bob"])
    #expect(refusal.fact("sem") == .number(1) && refusal.fact("value") == .number(0))
    #expect(refusal.contention?.key.text == "op:id:\(place.set)" && refusal.contention?.waiterCount == 0)
    #expect(refusal.detail.contains("Semaphore 1") && refusal.detail.contains("1:-1:undo"))
    #expect(refusal.retryAfter == .seconds(30))
    #expect(place.ledger.status().counters.busy == 1)
  }

  @Test func aRefusalNamesTheNativeThatChangedTheSemaphoreLast() {
    let place = Place([1])
    #expect(place.scene.kernel.perform([.add(-1, to: 0)], set: place.set, process: 100) == .done)
    let refusal = place.refusal([Self.step(0, -1)], .waitTimeout, wait: .seconds(2))
    #expect(refusal.fact("pid") == .number(100) && refusal.contention?.holders.isEmpty == true)
    #expect(refusal.detail.contains("process 100") && refusal.detail.contains("2000 ms"))
  }

  @Test func whoWaitsIsListedInTheOrderOfArrivalUntilItLeaves() {
    let place = Place([0])
    for (id, owner) in [(3, "ann"), (4, "bob"), (5, "eve")] as [(WaiterID, String)] {
      let now = place.scene.daemon.moment.monotonic
      place.ledger.operationWaits(
        id, place.request([Self.step(0, -1)], owner, wait: .seconds(60)), on: place.set, at: now)
      place.scene.pass(.seconds(1))
    }
    let waiters = place.ledger.operationWaiters(on: place.set)
    #expect(waiters.map(\.owner) == ["ann", "bob", "eve"])
    #expect(waiters.allSatisfy { $0.until - $0.since == .seconds(60) && $0.steps == [Self.step(0, -1)] })
    #expect(place.ledger.use(of: place.set) == (0, 3) && place.ledger.operationWaiters(on: place.set + 1).isEmpty)
    #expect(place.refusal([Self.step(0, -1)]).contention?.waiterCount == 3)
    let now = place.scene.daemon.moment.monotonic
    place.ledger.operationLeft(4, .waitTimeout, at: now)
    place.ledger.operationLeft(3, nil, at: now)
    place.ledger.operationLeft(3, .canceled, at: now)
    #expect(place.ledger.operationWaiters(on: place.set).map(\.owner) == ["eve"])
    let events = place.ledger.events(from: 0, limit: 100).events
    #expect(
      events.map { "\($0.kind.name) \($0.text ?? "-") \($0.reason ?? "-")" } == [
        "waiting ann -", "waiting bob -", "waiting eve -", "left bob wait-timeout",
      ])
    #expect(place.ledger.status().counters.timedOut == 1 && place.ledger.status().counters.canceled == 0)
  }

  @Test func operationsWithoutALeaseWaitWithoutEvents() {
    let place = Place([0])
    let now = place.scene.daemon.moment.monotonic
    let request = place.request([Self.step(0, -1, undoes: false)], "ann", wait: .seconds(60))
    place.ledger.operationWaits(1, request, on: place.set, at: now)
    #expect(place.ledger.use(of: place.set).waiters == 1)
    place.ledger.operationLeft(1, .canceled, at: now)
    #expect(place.ledger.events(from: 0, limit: 100).events.isEmpty && place.ledger.use(of: place.set).waiters == 0)
  }

  @Test func aLockOfTheSameSemaphoreShowsTheLeasesOnOperations() throws {
    let place = Place([5, 1, 0])
    try place.take([Self.step(0, -2), Self.step(2, 1)], "ann")
    // Nothing else of ours stands there.
    #expect(try place.shown(0).holders.map { "\($0.owner ?? "-") \($0.count)" } == ["ann 2"])
    #expect(try place.shown(1).holderCount == 0)
    // What the operation gave is in nobody's way.
    #expect(try place.shown(2).holders.isEmpty)
    let native = Scene.semaphore(place.set, 0)
    #expect(
      place.scene.acquire("bob", "sysv:id:\(place.set).0") { ($0.native, $0.count, $0.limit) = (native, 3, 3) } == nil)
    let lock = try place.shown(0)
    #expect(lock.holders.map(\.owner).count == 2 && lock.holderCount == 2)
    #expect(place.scene.acquire("eve", "sysv:id:\(place.set).0") { $0.native = native } == .locked)
    #expect(place.scene.refusals["eve"]?.contention?.holders.contains { $0.owner == "ann" } == true)
    #expect(place.scene.refusals["eve"]?.detail.contains("is held;") == true)
    var filter = ListFilter()
    filter.state = .held
    #expect(place.ledger.locks(filter).entries.map(\.holderCount) == [2])
  }

  @Test func theUnitsOfOperationsAreNotThoseOfNatives() throws {
    let place = Place([5])
    let native = Scene.semaphore(place.set, 0)
    try place.take([Self.step(0, -2)], "ann")
    let lock = try place.shown(0)
    #expect(lock.nativeUnits == nil && lock.availableUnits == 3)
    #expect(place.scene.acquire("bob", "sysv:id:\(place.set).0") { $0.native = native } == nil)
    #expect(place.ledger.holders(of: place.set, max: 10, within: nil).count == 2)
    #expect(place.ledger.holders(of: place.set, max: 1, within: nil).count == 1)
    let stranger = Confinement(token: "t", prefixes: ["other"], longest: nil)
    #expect(place.ledger.holders(of: place.set, max: 10, within: stranger).isEmpty)
  }
}
