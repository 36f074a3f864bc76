@testable import Leasehold
import LeaseholdTestKit

extension SimulatedDaemon {
  /// Everything that is wrong, from outside and from inside.
  func flaws() -> [String] { Invariants.check(self) + ledger.checkQueues(waiting) + ledger.checkDeadlines() }
}

extension Ledger {
  /// A waiter is in exactly one queue, and no queue is forgotten.
  func checkQueues(_ waiting: SimulatedWaiting) -> [String] {
    var wrong: [String] = []
    var queued = 0
    for lock in locksByKey.values {
      lock.queue.forEach { waiter in
        queued += 1
        if waiter.lock !== lock || waiters[waiter.id] !== waiter { wrong.append("waiter \(waiter.id) is misplaced") }
        return true
      }
      if waiting.isWaiting(lock.cell), lock.unitsWaited == 0 { wrong.append("a wait for '\(lock.key)' is forgotten") }
      guard let head = lock.queue.first, !lock.isDamaged, lock.unitsOut + head.units <= lock.capacity else { continue }
      let reported = waiting.reports.contains { report in
        switch report {
        case .granted(lock.cell, _, _, _), .ended(lock.cell, _, _, _): true
        default: false
        }
      }
      if !waiting.isWaiting(lock.cell), !lock.isPolled, !reported { wrong.append("nobody waits for '\(lock.key)'") }
      if waiting.isWaiting(lock.cell), lock.unitsWaited != head.units { wrong.append("waits for the wrong units") }
    }
    if queued != waiters.count { wrong.append("\(waiters.count) waiters, \(queued) of them queue") }
    if waiterDeadlines.count != waiters.count { wrong.append("a waiter has no deadline, or two") }
    return wrong
  }

  /// A lease that ends by itself has exactly one deadline entry, any other none.
  func checkDeadlines() -> [String] {
    var wrong: [String] = []
    var expected = 0
    for lease in leasesByCell.compactMap(\.self) {
      switch lease.state {
      case .ended: if lease.queuePosition >= 0 { wrong.append("an ended lease has a deadline") }
      case .held, .cooling:
        guard lease.due > 0 else { continue }
        expected += 1
        if lease.queuePosition < 0 { wrong.append("lease \(lease.id.ref) has no deadline") }
        if lease.lock.map({ locksByKey[$0.key] === $0 }) != true { wrong.append("lease \(lease.id.ref) has no lock") }
      }
    }
    if leaseDeadlines.count != expected { wrong.append("\(leaseDeadlines.count) deadlines, not \(expected)") }
    return wrong
  }
}
