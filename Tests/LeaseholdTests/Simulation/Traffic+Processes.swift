import Leasehold
import LeaseholdTestKit

/// Processes that leases are bound to.
extension Traffic {
  private static let pids: [Int32] = [11, 12, 13, ProcessBinding.cgroup]

  /// Has the lease end with a process, which may end while the request waits.
  func bindToProcess(_ request: inout AcquireRequest) {
    let pid = random.pick(Self.pids)
    request.process = ProcessBinding(daemon.processes.run(pid), name: pid)
    if pid > 0, request.cooldown == .zero, request.holdAtLeast == .zero, random.once(in: 2) {
      request.process = request.process?.stopping(after: .milliseconds(Int64(random.next() % 2000)))
    }
    if random.once(in: 2) { request.ttl = .zero }
  }

  func endProcess() { endProcess(random.pick(Self.pids)) }

  /// A process ends, and what is bound to it.
  func endProcess(_ pid: Int32) {
    note("process \(pid) ends")
    history.letGo { $0.process == pid }
    if let process = daemon.processes.end(pid), !random.once(in: 8) {
      daemon.ledger.processEnded(process, at: daemon.moment)
    } else {
      // Killed before it could say so.
      daemon.crash.crashNow()
    }
  }

  /// The next daemon may not see all of them.
  func hideProcesses() {
    daemon.processes.hidden = random.once(in: 2) ? [random.pick(Self.pids), random.pick(Self.pids)] : []
  }
}
