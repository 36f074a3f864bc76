import Glibc
import HTTPExchange
import Leasehold
import LeaseholdHost
import LeaseholdTestKit
import Testing

@testable import EtcdGateway
@testable import LeaseholdEtcd

/// The conformance suite on an etcd that runs; which versions, `LEASEHOLD_ETCD` says.
@Suite(.serialized, .enabled(if: !EtcdProcess.programs.isEmpty, "there is no etcd: apt-get install etcd-server"))
struct EtcdEngineTests {
  @Test(arguments: EtcdProcess.programs)
  func theEngineDoesWhatEveryLockServiceDoes(program: String) throws {
    let host = try EtcdHost(program)
    for scenario in LockServiceConformance.scenarios {
      let begun = HostClock.monotonic()
      do {
        try scenario.run(on: host)
      } catch {
        Issue.record("\(scenario): \(error)")
      }
      print("\(scenario): \((HostClock.monotonic() - begun) / 1_000_000) ms")
    }
  }

  @Test(arguments: EtcdProcess.programs)
  func aServiceThatMayWriteNoMoreIsNotReadyUntilItMayAgain(program: String) throws {
    let (etcd, deadline) = (try EtcdProcess(program), HostClock.monotonic(after: .seconds(60)))
    let anybody = try etcd.gateway()
    try anybody.addUser("root", password: "secret", before: deadline)
    try anybody.addUser("locks", password: "secret", before: deadline)
    let root = try etcd.gateway(user: ("root", "secret"))
    var configuration = EtcdConfiguration(endpoints: ["http://127.0.0.1:\(etcd.port)"])
    configuration.user = ("locks", "secret")
    let service = try EtcdLockService(configuration)
    defer {
      service.drain()
      service.stop()
    }
    func becomes(_ isReady: Bool) -> Bool {
      while (service.status().neededFault == nil) != isReady, HostClock.monotonic() < deadline {
        HostClock.sleep(nanoseconds: 10_000_000)
      }
      return (service.status().neededFault == nil) == isReady
    }
    #expect(becomes(true))
    try root.tell("user/revoke", [("name", "locks"), ("role", "root")], before: deadline)
    #expect(becomes(false))
    #expect(service.status().neededFault?.reason.contains("permission denied") ?? false)
    try root.tell("user/grant", [("user", "locks"), ("role", "root")], before: deadline)
    #expect(becomes(true))
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
