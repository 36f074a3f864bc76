import HostTestKit
import LeaseholdTestKit
import Testing

@testable import Leasehold
@testable import LeaseholdLocal

@Suite struct AliveTests {
  @Test func aServiceIsAliveAsLongAsItsClockTurns() throws {
    let scene = Scene()
    let service = try scene.start()
    try eventually { service.isAlive(within: .seconds(5)) }
    // The clock's thread ends with the service.
    service.stop()
    try eventually { !service.isAlive(within: .milliseconds(20)) }
    #expect(service.isAlive(within: .seconds(3600)))
  }
}
