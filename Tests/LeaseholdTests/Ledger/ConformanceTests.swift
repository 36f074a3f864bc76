import Leasehold
import LeaseholdTestKit
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
}
