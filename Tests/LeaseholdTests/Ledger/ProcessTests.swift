@testable import Leasehold
import LeaseholdTestKit
import Testing

@Suite struct ProcessTests {
  private let scene = Scene()

  private func bound(_ pid: Int32, ttl: TimeSpan = .zero) -> (inout AcquireRequest) -> Void {
    { [scene] request in
      request.process = ProcessBinding(scene.daemon.processes.run(pid), name: pid)
      request.ttl = ttl
    }
  }

  private func end(_ pid: Int32) {
    scene.history.letGo { $0.process == pid }
    scene.daemon.endProcess(pid)
    scene.hear()
  }

  private func boundCount(_ pid: Int32) -> Int {
    scene.ledger.leaseTable.bound(to: scene.daemon.processes.run(pid)).count
  }

  /// Why somebody's lease is over, as the answer says.
  private func reason(_ who: String) -> String? {
    guard let problem = scene.problem(who), case .text(let reason)? = problem.fact("reason") else { return nil }
    return "\(problem.code.rawValue) \(reason)"
  }

  @Test func aLeaseEndsWithItsProcessAndWithNoOther() {
    scene.acquire("ann", "a", bound(7))
    scene.acquire("bob", "b", bound(7))
    scene.acquire("cat", "c", bound(8))
    scene.queue("dan", "a")
    end(9)
    #expect(scene.has("ann") && boundCount(7) == 2)
    end(7)
    #expect(reason("ann") == "expired process-exited" && reason("bob") == "expired process-exited")
    #expect(scene.has("cat") && scene.has("dan") && boundCount(8) == 1)
    #expect(scene.ledger.counters.ended[Int(EndReason.processExited.rawValue)] == 2)
    #expect(scene.flaws().isEmpty)
  }

  @Test func aReleasedOrExpiredLeaseLetsItsProcessGo() {
    scene.acquire("ann", "a", bound(7))
    scene.acquire("bob", "b", bound(7, ttl: .seconds(1)))
    scene.release("ann")
    scene.pass(.seconds(2))
    #expect(scene.end("bob") == .expired && reason("bob") == "expired ttl" && boundCount(7) == 0)
    end(7)
    #expect(reason("bob") == "expired ttl")
  }

  @Test func aLeaseWithoutADeadlineIsRenewedWithoutOne() {
    scene.acquire("ann", "a", bound(7))
    #expect(scene.renew("ann") == nil && scene.leases["ann"]?.deadline == nil)
    scene.pass(.seconds(100_000))
    #expect(scene.has("ann"))
  }

  @Test func aProcessThatEndedIsRefusedAndItsWaiterPassedOver() {
    scene.acquire("ann")
    scene.queue("bob", "a", bound(7))
    scene.queue("cat")
    end(7)
    #expect(scene.waits("bob"))
    scene.release("ann")
    #expect(scene.refusal("bob") == .noSuchProcess && scene.has("cat"))
    let binding = ProcessBinding(scene.daemon.processes.run(7), name: 7)
    scene.daemon.processes.end(7)
    #expect(scene.acquire("dan", "d") { $0.process = binding } == .noSuchProcess)
    #expect(scene.flaws().isEmpty)
  }

  @Test func aRetryGetsTheLeaseWithItsProcess() {
    scene.acquire("ann") {
      bound(7)(&$0); $0.idempotencyKey = "key"
    }
    scene.acquire("ann") {
      bound(7)(&$0); $0.idempotencyKey = "key"
    }
    #expect(scene.leases["ann"]?.replayed == true && scene.leases["ann"]?.process == 7)
    #expect(scene.acquire("bob") { $0.idempotencyKey = "key" } == .idempotencyMismatch)
    end(7)
    #expect(reason("ann") == "expired process-exited")
  }

  @Test func aRestartFindsTheProcessesAgain() {
    scene.acquire("ann", "a") {
      bound(7)(&$0); $0.owner = String(repeating: "ann", count: 30)
    }
    scene.acquire("bob", "b", bound(8))
    scene.acquire("cat", "c", bound(9))
    scene.daemon.processes.hidden = [9]
    scene.daemon.processes.end(8)
    scene.history.letGo { $0.process == 8 }
    scene.restart()
    #expect(scene.has("ann") && scene.has("cat") && reason("bob") == "expired process-exited")
    scene.pass(.seconds(3))
    #expect(scene.has("ann") && reason("cat") == "expired process-lost", "nobody knows whether it ended")
    end(7)
    #expect(reason("ann") == "expired process-exited" && scene.flaws().isEmpty)
  }

  @Test func aNumberThatIsAnothersByNowIsNotTheProcess() {
    scene.acquire("ann", "a", bound(7))
    scene.daemon.processes.end(7)
    _ = scene.daemon.processes.run(7)
    scene.history.letGo { $0.process == 7 }
    scene.restart()
    #expect(reason("ann") == "expired process-exited")
  }

  @Test func inTheGraceARetryBindsALeaseWhoseProcessWasNotSeen() {
    let retry: (inout AcquireRequest) -> Void = { request in
      bound(7)(&request)
      request.idempotencyKey = "key"
    }
    scene.acquire("ann", "a", retry)
    scene.daemon.processes.hidden = [7]
    scene.restart()
    scene.acquire("ann", "a", retry)
    #expect(scene.leases["ann"]?.replayed == true)
    scene.pass(.seconds(10))
    #expect(scene.has("ann"))
    end(7)
    #expect(reason("ann") == "expired process-exited")
  }

  @Test func aLeaseEndsWithItsCgroupThroughARestartToo() {
    scene.acquire("ann", "a", bound(ProcessBinding.cgroup))
    scene.acquire("bob", "b") {
      bound(ProcessBinding.cgroup)(&$0); $0.owner = String(repeating: "bob", count: 30)
    }
    scene.restart()
    scene.pass(.seconds(3))
    #expect(scene.has("ann") && scene.has("bob") && scene.leases["bob"]?.process == ProcessBinding.cgroup)
    end(ProcessBinding.cgroup)
    #expect(reason("ann") == "expired process-exited" && reason("bob") == "expired process-exited")
    #expect(scene.flaws().isEmpty)
  }

  @Test func aCgroupThatIsAnotherByNowIsNotTheOne() {
    scene.acquire("ann", "a", bound(ProcessBinding.cgroup))
    scene.daemon.processes.end(ProcessBinding.cgroup)
    _ = scene.daemon.processes.run(ProcessBinding.cgroup)
    scene.history.letGo { $0.process == ProcessBinding.cgroup }
    scene.restart()
    #expect(reason("ann") == "expired process-exited")
  }

  @Test func processesOfACgroupAreNotTakenToWaitForEachOther() {
    scene.acquire("ann", "a", bound(ProcessBinding.cgroup))
    scene.acquire("bob", "b", bound(ProcessBinding.cgroup))
    scene.queue("cat", "a", bound(ProcessBinding.cgroup))
    scene.queue("dan", "b", bound(ProcessBinding.cgroup))
    #expect(scene.waits("cat") && scene.waits("dan"))
    scene.release("ann")
    #expect(scene.has("cat"))
  }

  @Test func aProcessSurvivesItsRecord() {
    let process = RecordedProcess(
      recordBytes: (0..<20).map { UInt8($0 * 13 % 256) })
    #expect(RecordedProcess(recordBytes: process.recordBytes) == process)
    #expect(process.recordBytes.count == RecordedProcess.bytes)
    #expect(RecordedProcess(recordBytes: [1, 2]).stamp.isFindable == false)
  }
}
