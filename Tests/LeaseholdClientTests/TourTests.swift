import LeaseholdClient
import Testing

/// The Swift of docs/clients.md, as it stands there: Tests/Examples compares the two, line by line.
@Suite struct TourTests {
  /// Compiled and not run, as it would talk to an installed service.
  private func deploy() async throws {
    let client = try LeaseholdClient("unix:/run/leasehold/leasehold.sock")
    try await Lock("deploy", wait: .seconds(10), client: client).withLock { lease in
      print("swift has it, fence", lease.fence)
      try lease.check()  // before a step that cannot be taken back
    }

    // Without a client, the library finds the service. Readers beside each other, two of five slots, all or none:
    try await Lock([.shared("report"), .slots("downloads", 5, count: 2)]).withLock { _ in }

    let lease = try await Lock("nightly", wait: .zero).acquire()  // without a block: yours to release
    if let loss = await lease.whenLost() { print(loss) }

    for try await event in client.events([.granted, .broken], ofLocks: "jobs/*") {
      print(event.kind.rawValue, event.key ?? "")
    }
  }

  @Test func theAddressOfThePageIsOne() throws {
    _ = deploy
    let client = try LeaseholdClient("unix:/run/leasehold/leasehold.sock")
    #expect(client.endpoint.address == ServiceAddress("unix:/run/leasehold/leasehold.sock"))
  }
}
