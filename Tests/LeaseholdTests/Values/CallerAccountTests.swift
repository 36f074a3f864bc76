import LeaseholdTestKit
import Testing

@testable import Leasehold

@Suite struct CallerAccountTests {
  @Test func oneCallersShareIsHalfAndAHostsNearlyAll() {
    var totals = CallerMaxima(1000)
    totals[.streams] = 20
    totals[.operations] = 1
    var set = CallerMaxima(0)
    set[.waiters] = 7
    let (single, host, trusted) = (
      set.resolved(for: .single, of: totals), set.resolved(for: .host, of: totals),
      set.resolved(for: .trusted, of: totals)
    )
    #expect([single, host, trusted].map { $0[.leases] } == [500, 969, .max])
    #expect([single, host, trusted].map { $0[.streams] } == [10, .max, .max])
    #expect([single, host, trusted].map { $0[.operations] } == [1, .max, .max])
    // What was set holds for all, but root is never kept from connecting.
    #expect([single, host, trusted].map { $0[.waiters] } == [7, 7, 7])
    var connections = CallerMaxima(0)
    connections[.connections] = 1
    #expect(connections.resolved(for: .trusted, of: totals)[.connections] == .max)
    #expect(connections.resolved(for: .single, of: totals)[.connections] == 1)
  }

  @Test(arguments: CallerResource.allCases)
  func aClaimCountsForAsLongAsItLives(_ resource: CallerResource) throws {
    var maxima = CallerMaxima.none
    maxima[resource] = 5
    let hits = CallerLimitHits()
    let account = CallerAccount(label: "uid 7", maxima: maxima, hits: hits)
    var claims = [try account.claim(resource, 3)]
    #expect(account.count(of: resource) == 3 && account.hasRoom(for: resource, 2) && !account.hasRoom(for: resource, 3))
    let error = #expect(throws: LeaseholdError.self) { try account.claim(resource, 3) }
    #expect(error?.code == .callerLimit && error?.detail.contains("--\(resource.setting)") == true)
    #expect(account.count(of: resource) == 3 && hits.count(of: resource) == 1)
    claims.append(try account.claim(resource, 2))
    #expect(throws: LeaseholdError.self) { try account.check(resource) }
    claims.removeAll()
    #expect(account.count(of: resource) == 0 && hits.count(of: resource) == 2)
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
      scene.acquire("ann", name) { $0.caller.account = account }
      scene.release("ann")
    }
    #expect(account.count(of: .locks) == 2)
    #expect(scene.acquire("ann", "c", { $0.caller.account = account }) == .callerLimit)
    scene.acquire("bob", "c")
    #expect(scene.has("bob") && account.count(of: .locks) == 2)
    try scene.ledger.remove(Scene.key("a"), force: false, at: scene.daemon.moment)
    #expect(account.count(of: .locks) == 1)
    scene.acquire("ann", "d") { $0.caller.account = account }
    #expect(scene.has("ann"))
  }
}
