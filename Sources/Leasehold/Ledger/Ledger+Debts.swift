import SysVTypes

// What must go back and could not: the kernel had no memory for a moment, or somebody took away the right to write the
// set. The values are as they were, so the same operations are done later, once; until then the kernel counts the units
// as out, and nobody else gets them.

/// Operations that give something back, to be done as soon as the kernel does them.
struct Debt {
  let set: Int32
  let operations: [SemaphoreOperation]
  /// Whose units they are; `nil` when the lock is forgotten already.
  let lock: Lock?
  /// The record that tells the next daemon that they are still out, where the set does not.
  var mark: EndMark?
}

/// The record of a lease that is over, marked as giving back until that is done.
struct EndMark {
  let cell: Int
  let word: CommitWord
  let share: Share
  let isCapped: Bool
  /// The time of the end; negative where an operator ended it.
  let endedAt: Int64
}

extension Ledger {
  /// Gives something back, now or else later.
  func giveBack(_ operations: OpList, to set: Int32, of lock: Lock?) -> KernelOutcome {
    guard operations.count > 0 else { return .done }
    let outcome = kernel.operate(set, operations)
    if outcome.mayPass { owe((0..<operations.count).map { operations[$0] }, to: set, of: lock) }
    return outcome
  }

  /// The same for lists of any length.
  func giveBack(list operations: [SemaphoreOperation], to set: Int32, of lock: Lock?) -> KernelOutcome {
    let outcome = kernel.operate(set, list: operations)
    if outcome.mayPass { owe(operations, to: set, of: lock) }
    return outcome
  }

  /// Remembers what is to be done later, every few milliseconds until it is.
  func owe(_ operations: [SemaphoreOperation], to set: Int32, of lock: Lock?) {
    debts.append(Debt(set: set, operations: operations, lock: lock))
    lock?.debts += 1
  }

  /// Does what could not be done before.
  func payDebts(at moment: Moment) {
    guard !debts.isEmpty else { return }
    let due = debts
    debts = []
    for debt in due {
      debt.lock?.debts -= 1
      let mark = debt.mark.flatMap { storage.commitWord(at: $0.cell) == $0.word ? $0 : nil }
      if let mark, let lock = debt.lock { renew(mark, of: lock) }
      // Of raw operations as much is taken back as goes, as at any end.
      let isAdjustment = debt.lock?.place.isOperations == true
      let outcome =
        isAdjustment
        ? adjust(debt.set, by: debt.operations, of: debt.lock)
        : giveBack(list: debt.operations, to: debt.set, of: debt.lock)
      if let mark {
        if outcome.mayPass { debts[debts.count - 1].mark = mark } else { lift(mark) }
      }
      guard let lock = debt.lock, locksByCell[lock.cell] === lock, !outcome.mayPass else { continue }
      gaveBack(outcome, on: lock, at: moment)
    }
  }
}

// Where natives count, too, the set does not show that units of nobody are out, so the record does.
extension Ledger {
  /// The units of a lease that just ended could not go back: its record goes on saying that this is under way.
  func keepMark(of lease: Lease, _ reason: EndReason, on lock: Lock, isCapped: Bool) {
    guard !lease.leavesNoTrace, !debts.isEmpty else { return }
    let endedAt = lease.breaking == nil ? lease.endedAt : -lease.endedAt
    markEnd(
      lease.cell, reason, giving: lease.share, of: lock, isCapped: isCapped, isBreaking: lease.breaking != nil)
    debts[debts.count - 1].mark = EndMark(
      cell: lease.cell, word: storage.commitWord(at: lease.cell), share: lease.share, isCapped: isCapped,
      endedAt: endedAt)
  }

  /// Natives may have come and gone since.
  private func renew(_ mark: EndMark, of lock: Lock) {
    markEnd(
      mark.cell, mark.word.reason ?? .released, giving: mark.share, of: lock, isCapped: mark.isCapped,
      isBreaking: mark.endedAt < 0)
  }

  private func lift(_ mark: EndMark) {
    storage.store(UInt64(bitPattern: mark.endedAt), .second, at: mark.cell)
    storage.commit(
      CommitWord(.ended, .lease, check: mark.word.check, reason: mark.word.reason ?? .released), at: mark.cell)
  }
}

extension KernelOutcome {
  /// Whether it failed for a reason that has nothing to do with the set's values, so that it may go later.
  var mayPass: Bool {
    if case .failed(let failure) = self { failure.mayPass } else { false }
  }
}
