import Glibc
import SysV
import SystemPackage
import Testing

@testable import Leasehold
@testable import LeaseholdLocal

/// What the kernel or the settings forbid.
///
/// Kernel limits are set in a namespace of the test's own.
@Suite struct LimitTests {
  /// The refusal of the first acquire after kernel.sem was set so that no further set fits.
  private static func refusal(after kernelSem: String) -> (first: Bool, LeaseholdError?)? {
    OwnNamespace.run {
      let scene = Scene()
      guard let service = try? scene.start(), writeFile("/proc/sys/kernel/sem", kernelSem),
        let error = try? service.refusal("a")
      else { return (false, nil) }
      guard writeFile("/proc/sys/kernel/sem", "32000 1024000000 500 32000") else { return (false, nil) }
      return ((try? service.take("a")) != nil, error)
    }
  }

  @Test(
    .enabled(if: OwnNamespace.isAvailable, "needs CAP_SYS_ADMIN for a namespace of its own"),
    arguments: [("250 32000 100 1", "SEMMNI", 1), ("250 100 100 50", "SEMMNS", 100)] as [(String, String, Int64)])
  func aKernelLimitIsNamedWithItsValue(_ kernelSem: String, _ limit: String, _ value: Int64) throws {
    let (recovered, refusal) = try #require(Self.refusal(after: kernelSem))
    let error = try #require(refusal)
    #expect(error.code == .kernelLimit)
    #expect(error.facts.contains { $0.name == "errno" && $0.value == .text("ENOSPC") })
    #expect(error.facts.contains { $0.name == "limit" && $0.value == .text(limit) })
    #expect(error.facts.contains { $0.value == .number(value) })
    #expect(recovered, "the next acquire must work when the limit is raised")
  }

  @Test(.enabled(if: OwnNamespace.isAvailable, "needs CAP_SYS_ADMIN for a namespace of its own"))
  func aHostWithoutRoomForTheGuardIsAnErrorOfTheStart() throws {
    let errno = OwnNamespace.run { () -> Errno? in
      guard writeFile("/proc/sys/kernel/sem", "250 32000 100 0") else { return nil }
      do throws(LocalServiceError) {
        _ = try LocalLockService(Scene().options)
        return nil
      } catch {
        if case .kernel(_, let errno) = error { return errno }
        return nil
      }
    }
    #expect(errno == .some(.noSpace))
  }

  @Test func theLedgerIsFullAtItsLimitAndHasRoomAgainAfterARelease() throws {
    let scene = Scene()
    scene.options.limits.leases = 3
    let service = try scene.start()
    let leases = try (0..<3).map { try service.take("lock \($0)") }
    #expect(try service.refusal("one more")?.code == .ledgerFull)
    try service.giveBack(leases[1])
    _ = try service.take("one more")
  }
}
