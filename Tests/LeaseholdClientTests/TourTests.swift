import LeaseholdClient
import Testing

/// The Swift of docs/clients.md, as it stands there: Tests/Examples compares the two, line by line.
@Suite struct TourTests {
  /// Compiled and not run, as it would talk to an installed service.
  private func deploy() async throws {
    let client = try LeaseholdClient("unix:/run/leasehold/leasehold.sock")
    try await client.withLease("deploy", wait: .seconds(10)) { lease in
      print("swift has it, fence", lease.fence)
    }
  }

  @Test func theAddressOfThePageIsOne() throws {
    _ = deploy
    let client = try LeaseholdClient("unix:/run/leasehold/leasehold.sock")
    #expect(client.endpoint.address == ServiceAddress("unix:/run/leasehold/leasehold.sock"))
  }
}
