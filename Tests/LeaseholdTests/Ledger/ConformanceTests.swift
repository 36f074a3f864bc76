import Leasehold
import LeaseholdTestKit
import SysVTypes
import Testing

@Suite struct ConformanceTests {
  @Test(arguments: LockServiceConformance.scenarios)
  func theSimulatedServiceDoesWhatEveryLockServiceDoes(_ scenario: ConformanceScenario) throws {
    let host = SimulatedHost()
    try scenario.run(on: host)
    #expect(host.flaws().isEmpty)
  }

  @Test func theScenariosMayShareAService() throws {
    let host = SimulatedHost()
    for scenario in LockServiceConformance.scenarios { try scenario.run(on: host) }
    #expect(host.flaws().isEmpty)
  }

  @Test func theSimulatedHostShowsItsSets() throws {
    let host = SimulatedHost()
    try LockServiceConformance.scenarios[0].run(on: host)
    let semaphores = try #require(host.engine.semaphores)
    let inventory = try semaphores.semaphoreSets(from: 0, limit: 10)
    let set = try #require(inventory.entries.first)
    #expect(inventory.usage.sets == 1 && inventory.nextCursor == nil && set.role == .bank(locks: 1, leases: 1))
    let caller = Caller(connection: 1, peer: .unknown)
    let detail = try semaphores.semaphoreSet(.id(set.id), for: caller)
    #expect(detail.semaphores.count == NamedDialect.semaphoresPerBank)
    #expect(detail.semaphores[0].leases.count == 1 && detail.semaphores[NamedDialect.trailer].value == 19528)
    #expect(throws: LeaseholdError.self) { try semaphores.semaphoreSet(.id(999), for: caller) }
  }
}
