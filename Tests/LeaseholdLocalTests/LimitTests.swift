import Glibc
import HostTestKit
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

  /// What a start says after a limit was set in a namespace of its own.
  private static func startError(after file: String, _ value: String) -> String? {
    let said: String?? = OwnNamespace.run { () -> String? in
      guard writeFile("/proc/sys/kernel/\(file)", value) else { return nil }
      do throws(LocalServiceError) {
        _ = try LocalLockService(Scene().options)
        return nil
      } catch {
        return error.description
      }
    }
    return said ?? nil
  }

  @Test(
    .enabled(if: OwnNamespace.isAvailable, "needs CAP_SYS_ADMIN for a namespace of its own"),
    arguments: [
      ("sem", "250 32000 100 0", "SEMMNI is 0", "kernel.sem=\"250 32000 100 32000\""),
      ("sem", "250 2 100 100", "SEMMNS is 2", "kernel.sem=\"250 1024000000 100 100\""),
      ("sem", "2 32000 100 100", "SEMMSL is 2", "kernel.sem=\"250 32000 100 100\""),
      ("shmmax", "5000", "SHMMAX is 5000", "kernel.shmmax="), ("shmall", "1", "SHMALL is 1", "kernel.shmall="),
      ("shmmni", "0", "SHMMNI is 0", "kernel.shmmni=1"),
    ])
  func aLimitThatStopsAStartIsNamedWithItsValueAndTheLineThatRaisesIt(
    _ file: String, _ value: String, _ limit: String, _ remedy: String
  ) throws {
    let said = try #require(Self.startError(after: file, value))
    #expect(said.contains(limit) && said.contains(remedy), "\(said)")
  }

  @Test(.enabled(if: OwnNamespace.isAvailable, "needs CAP_SYS_ADMIN for a namespace of its own"))
  func aSetOfOwnLocksThatPassesSEMMSLNamesIt() throws {
    let (recovered, refusal) = try #require(Self.refusal(after: "100 32000 100 100"))
    #expect(refusal?.facts.contains { $0.name == "limit" && $0.value == .text("SEMMSL") } == true)
    #expect(recovered)
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
