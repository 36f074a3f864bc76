import HostTestKit
import LeaseholdHost
import LeaseholdTestKit
import SysV
import Testing

@testable import Leasehold
@testable import LeaseholdLocal

/// The conformance suite on the semaphores of a real kernel.
///
/// Left out is what looks between two moments that are 100 ms apart, as a busy machine may sleep longer; and
/// conversions, which wait for an answer that was given at once.
@Suite struct LocalEngineTests {
  static let scenarios = LockServiceConformance.scenarios.filter {
    $0.needs.isDisjoint(with: [.shortLeases, .conversion]) && $0.description != "a wait ends with its time"
  }

  @Test(arguments: scenarios) func theEngineDoesWhatEveryLockServiceDoes(_ scenario: ConformanceScenario) throws {
    try scenario.run(on: LocalHost())
  }
}

private final class LocalHost: ConformanceHost {
  private let scene = Scene()
  private var service: LocalLockService

  init() throws {
    scene.options.limits.recoveryGrace = .seconds(2)
    service = try scene.start()
  }

  var engine: Engine { service.engine(variables: SegmentStore(SegmentStoreOptions())) }
  var now: MonotonicInstant { HostClock.now() }

  func pass(_ span: TimeSpan) { HostClock.sleep(nanoseconds: span.nanoseconds) }

  func eventually(_ condition: () -> Bool) -> Bool {
    (try? HostTestKit.eventually(condition)) != nil
  }

  func operate(_ delta: Int, on binding: SemaphoreBinding) -> Bool {
    let operation = SemaphoreOperation(
      semaphore: UInt16(binding.semaphore), delta: Int16(delta), flags: .nowait)
    return (try? SemaphoreSet(id: binding.id).operate([operation])) != nil
  }

  func removeSet(_ binding: SemaphoreBinding) { try? SemaphoreSet(id: binding.id).remove() }

  func restart() -> Bool {
    guard let next = try? scene.restart(service) else { return false }
    service = next
    return true
  }
}
