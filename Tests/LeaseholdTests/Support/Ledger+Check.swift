@testable import Leasehold
import LeaseholdTestKit

extension SimulatedDaemon {
  /// Everything that is wrong, from outside and from inside.
  func flaws() -> [String] { Invariants.check(self) + ledger.checkQueues(waiting) + ledger.checkDeadlines() }
}

extension Ledger {
  var counters: ServiceCounters { observers.counters }
  var recovery: RecoveryReport { observers.recovery }

  /// A waiter is in exactly one queue, and no queue is forgotten.
  func checkQueues(_ waiting: SimulatedWaiting) -> [String] {
    var wrong: [String] = []
    var queued = 0
    for lock in lockTable.byCell.all {
      for waiter in lock.queue {
        if waiter === waiter.lead { queued += 1 }
        if waiter.lock !== lock || !queues.has(waiter) {
          wrong.append("waiter \(waiter.id) is misplaced")
        }
      }
      if waiting.isWaiting(lock.cell), lock.waits.isEmpty { wrong.append("a wait for '\(lock.key)' is forgotten") }
      guard let head = lock.queue.first, !lock.isDamaged, lock.hasRoom(for: head.share) else { continue }
      // Nobody waits for who could not be told.
      if head.isDetached {
        if head.group == nil, waiting.isWaiting(lock.cell) { wrong.append("a wait for nobody") }
        continue
      }
      let reported = waiting.reports.contains { report in
        switch report {
        case .granted(let wait), .ended(let wait, _): wait.lock == lock.cell
        }
      }
      if let group = head.group {
        if group.blockedOn !== lock {
          let isFree = group.seats.allSatisfy {
            $0.lock?.queue.first === $0 && $0.lock?.hasRoom(for: $0.share) == true
          }
          if isFree, group.blockedOn == nil, !group.seats.contains(where: { $0.lock?.line.isPolled == true }), !reported
          {
            wrong.append("nobody looks at what several locks '\(lock.key)' among them wait for")
          }
          continue
        }
      }
      if !waiting.isWaiting(lock.cell), !lock.line.isPolled, !reported {
        wrong.append("nobody waits for '\(lock.key)'")
      }
      if waiting.isWaiting(lock.cell), head.group == nil, lock.waits.first?.share != head.share {
        wrong.append("waits for the wrong units")
      }
    }
    if queued != queues.count { wrong.append("\(queues.count) waiters, \(queued) of them queue") }
    return wrong
  }

  /// A lease that ends by itself has exactly one deadline entry, any other none.
  func checkDeadlines() -> [String] {
    var wrong: [String] = []
    var expected = 0
    for lease in leaseTable.byCell.all {
      if lease.isPart {
        if lease.queuePosition >= 0 || lease.due != 0 { wrong.append("a part has a deadline") }
        continue
      }
      switch lease.state {
      case .ended: if lease.queuePosition >= 0 { wrong.append("an ended lease has a deadline") }
      case .suspect: if lease.queuePosition >= 0 { wrong.append("a suspect has a deadline") }
      case .held, .cooling:
        guard lease.due > 0 else { continue }
        expected += 1
        if lease.queuePosition < 0 { wrong.append("lease \(lease.id.ref) has no deadline") }
        if lease.lock.map({ lockTable.knows($0) }) != true { wrong.append("lease \(lease.id.ref) has no lock") }
      }
    }
    let count = leaseTable.deadlines.count
    if count != expected { wrong.append("\(count) deadlines, not \(expected)") }
    return wrong
  }
}
