import LeaseholdTestKit
import Testing

@testable import Leasehold

@Suite struct CallerAccountTests {
  /// How much a caller gets who takes one by one for as long as it is let.
  private func greed(_ account: CallerAccount, _ resource: CallerResource, upTo countMax: Int = 2000) -> Int {
    var taken = 0
    while taken < countMax, (try? account.check(resource)) != nil {
      account.add(1, resource)
      taken += 1
    }
    return taken
  }

  private func account(
    _ kind: CallerKind, of total: Int = 1000, set: Int = 0, in pools: CallerPools? = nil
  ) -> CallerAccount {
    CallerAccount(
      label: "uid 7", maxima: CallerMaxima(set), kind, in: pools ?? CallerPools(of: CallerMaxima(total)))
  }

  @Test func oneCallersShareIsHalfAndAHostsNearlyAll() {
    let kinds: [CallerKind] = [.single, .host, .trusted]
    #expect(kinds.map { greed(account($0), .leases) } == [500, 968, 2000])
    #expect(kinds.map { greed(account($0, of: 20), .streams) } == [10, 2000, 2000])
    #expect(kinds.map { greed(account($0, of: 1), .operations) } == [1, 2000, 2000])
    // What was set holds for all, but root is never kept from connecting.
    #expect(kinds.map { greed(account($0, set: 7), .waiters) } == [7, 7, 7])
    #expect(kinds.map { greed(account($0, set: 1), .connections) } == [1, 1, 2000])
  }

  @Test(arguments: CallerResource.allCases)
  func whoeverTakesAllTheyCanLeavesRoomForTheNext(_ resource: CallerResource) throws {
    let pools = CallerPools(of: CallerMaxima(1000))
    let callers = (0..<9).map { _ in account(.single, in: pools) }
    #expect(callers.map { greed($0, resource) } == [500, 250, 125, 62, 31, 16, 8, 4, 2])
    // A host's programs beside them have nearly all of what is left, and leave one.
    #expect(greed(account(.host, in: pools), resource) == 1)
    #expect(greed(account(.single, in: pools), resource) == 1)
    // Who has more than its part gets no more until it is below it, and others as soon as it gives back.
    callers[0].add(-100, resource)
    let error = #expect(throws: LeaseholdError.self) { try callers[0].claim(resource) }
    #expect(error?.detail.contains("have 400") == true && error?.detail.contains("fewer the more others have") == true)
    #expect(greed(callers[8], resource) > 0)
    // Who came together has the same.
    let others = CallerPools(of: CallerMaxima(1000))
    let equals = (0..<4).map { _ in account(.single, in: others) }
    for _ in 0..<400 { for caller in equals where caller.hasRoom(for: resource, 1) { caller.add(1, resource) } }
    #expect(equals.map { $0.count(of: resource) } == [200, 200, 200, 200])
  }

  @Test func rootsPartCountsForWhatOthersLeave() {
    let pools = CallerPools(of: CallerMaxima(1000))
    #expect(greed(account(.trusted, in: pools), .leases, upTo: 900) == 900)
    #expect(greed(account(.single, in: pools), .leases) == 50)
    let apart = pools.separating(.connections)
    #expect(greed(account(.single, in: apart), .leases) == 25)
    #expect(greed(account(.single, in: pools), .connections) == 500)
    #expect(greed(account(.single, in: apart), .connections) == 500)
  }

  @Test(arguments: CallerResource.allCases)
  func aClaimCountsForAsLongAsItLives(_ resource: CallerResource) throws {
    var maxima = CallerMaxima.none
    maxima[resource] = 5
    let pools = CallerPools(of: .none)
    let account = CallerAccount(label: "uid 7", maxima: maxima, in: pools)
    var claims = [try account.claim(resource, 3)]
    #expect(account.count(of: resource) == 3 && account.hasRoom(for: resource, 2) && !account.hasRoom(for: resource, 3))
    let error = #expect(throws: LeaseholdError.self) { try account.claim(resource, 3) }
    #expect(error?.code == .callerLimit && error?.detail.contains("--\(resource.setting)") == true)
    #expect(account.count(of: resource) == 3 && pools[resource].hits == 1)
    claims.append(try account.claim(resource, 2))
    #expect(throws: LeaseholdError.self) { try account.check(resource) }
    claims.removeAll()
    #expect(account.count(of: resource) == 0 && pools[resource].hits == 2)
  }

  @Test func nothingTrapsHoweverMuchIsAskedFor() throws {
    let account = CallerAccount(label: "root")
    let first = try account.claim(.segmentBytes, .max)
    let second = try? account.claim(.segmentBytes, .max)
    _ = (first, second)
    #expect(throws: Never.self) { try account.claim(.leases, 1) }
  }

  @Test func aLockCountsForWhoMadeItUntilItIsCollected() throws {
    let scene = Scene()
    var maxima = CallerMaxima.none
    maxima[.locks] = 2
    let account = CallerAccount(label: "uid 7", maxima: maxima)
    for name in ["a", "b"] {
      scene.acquire("ann", name) { $0.caller = $0.caller.with(account: account) }
      scene.release("ann")
    }
    #expect(account.count(of: .locks) == 2)
    #expect(scene.acquire("ann", "c", { $0.caller = $0.caller.with(account: account) }) == .callerLimit)
    scene.acquire("bob", "c")
    #expect(scene.has("bob") && account.count(of: .locks) == 2)
    try scene.ledger.remove(Scene.key("a"), force: false, at: scene.daemon.moment)
    #expect(account.count(of: .locks) == 1)
    scene.acquire("ann", "d") { $0.caller = $0.caller.with(account: account) }
    #expect(scene.has("ann"))
  }
}
