import SysVTypes

// Units that must go back and could not: the kernel had no memory for a moment, or the right to write the set was taken
// away. The values are as they were, so the same operations are done later, once; until then the kernel counts the
// units as out, and no other holder gets them.

/// Operations that give something back, to be done as soon as the kernel does them.
struct Debt {
  let set: Int32
  let operations: [SemaphoreOperation]
  /// Whose units they are; `nil` when the lock is forgotten already.
  let lock: Lock?
  /// The record that tells the next daemon that they are still out, where the set does not.
  var mark: EndMark?
}

/// All that is owed.
final class Debts {
  var open: [Debt] = []

  /// Says which record tells the next daemon of the debt that came last.
  func markLast(_ mark: EndMark) {
    precondition(!open.isEmpty && open[open.count - 1].mark == nil, "one record tells of a debt")
    open[open.count - 1].mark = mark
  }
}

extension Ledger {
  /// Does what could not be done before.
  func payDebts(at moment: Moment) {
    let due = lockTable.debts.open
    guard !due.isEmpty else { return }
    lockTable.debts.open = []
    for debt in due {
      let mark = debt.mark.flatMap { journal.counts($0) ? $0 : nil }
      if let mark, let lock = debt.lock { journal.keep(beginEnd(mark, of: lock), mark) }
      let outcome = lockTable.pay(debt)
      if let mark {
        if outcome.mayPass { lockTable.debts.markLast(mark) } else { journal.end(mark) }
      }
      guard let lock = debt.lock, lockTable.knows(lock), !outcome.mayPass else { continue }
      gaveBack(outcome, on: lock, at: moment)
    }
  }

  /// Keeps the mark of a lease whose units could not go back: its record goes on saying that this is under way, as the
  /// set does not show it where natives count, too.
  func keepMark(of lease: Lease, _ reason: EndReason, on lock: Lock, isCapped: Bool) {
    guard !lease.asked.leavesNoTrace, !lockTable.debts.open.isEmpty else { return }
    let mark = EndMark(
      cell: lease.cell, reason: reason, share: lease.share, isCapped: isCapped,
      endedAt: lease.breaking == nil ? lease.endedAt : -lease.endedAt)
    journal.keep(beginEnd(mark, of: lock), mark)
    lockTable.debts.markLast(mark)
  }

  /// Natives may have come and gone since the last time.
  private func beginEnd(_ mark: EndMark, of lock: Lock) -> Ending {
    beginEnd(
      mark.cell, mark.reason, giving: mark.share, of: lock, sharedCounts(of: lock), isCapped: mark.isCapped,
      isBreaking: mark.endedAt < 0)
  }
}

extension KernelOutcome {
  /// True when it failed for a reason that has nothing to do with the set's values, so that it may go later: the kernel
  /// lacked memory, or this process the right to do it.
  var mayPass: Bool {
    guard case .failed(let failure) = self else { return false }
    return [.noMemory, .accessDenied, .notPermitted, .interrupted, .noSuchCall].contains(failure.errno)
  }
}
