import Glibc
import HTTPExchange
import Leasehold
import LeaseholdHost
import LeaseholdTestKit
import Testing

@testable import LeaseholdEtcd

/// The conformance suite on an etcd that runs; which versions, `LEASEHOLD_ETCD` says.
@Suite(.serialized, .enabled(if: !EtcdProcess.programs.isEmpty, "there is no etcd: apt-get install etcd-server"))
struct EtcdEngineTests {
  @Test(arguments: EtcdProcess.programs)
  func theEngineDoesWhatEveryLockServiceDoes(program: String) throws {
    let host = try EtcdHost(program)
    for scenario in LockServiceConformance.scenarios {
      let begun = HostClock.monotonic()
      do throws(ConformanceFailure) {
        try scenario.run(on: host)
      } catch {
        Issue.record("\(scenario): \(error)")
      }
      print("\(scenario): \((HostClock.monotonic() - begun) / 1_000_000) ms")
    }
  }
}

/// An engine over an etcd of its own.
private final class EtcdHost: ConformanceHost {
  private let etcd: EtcdProcess
  private let service: EtcdLockService
  let engine: Engine

  init(_ program: String) throws {
    etcd = try EtcdProcess(program)
    try etcd.untilReady()
    service = try EtcdLockService(EtcdConfiguration(endpoints: ["http://127.0.0.1:\(etcd.port)"]))
    engine = service.engine
  }

  deinit {
    service.drain()
    service.stop()
  }

  var now: MonotonicInstant { MonotonicInstant(nanoseconds: HostClock.monotonic()) }

  func pass(_ span: TimeSpan) { HostClock.sleep(nanoseconds: span.nanoseconds) }

  func eventually(_ condition: () -> Bool) -> Bool {
    let end = HostClock.monotonic(after: .seconds(30))
    while HostClock.monotonic() < end {
      if condition() { return true }
      HostClock.sleep(nanoseconds: 2_000_000)
    }
    return condition()
  }

  func operate(_ delta: Int, on binding: SemaphoreBinding) -> Bool { false }
  func removeSet(_ binding: SemaphoreBinding) {}
  func restart() -> Bool { false }
}
