// What must go back and could not: the kernel had no memory for a moment, or somebody took away the right to write the
// set. The values are as they were, so the same operations are done later, once; until then the kernel counts the units
// as out, and nobody else gets them.

/// Operations that give something back, to be done as soon as the kernel does them.
struct Debt {
  let set: Int32
  let operations: [Operation]
  /// Whose units they are; `nil` when the lock is forgotten already.
  let lock: Lock?
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
  func giveBack(list operations: [Operation], to set: Int32, of lock: Lock?) -> KernelOutcome {
    let outcome = kernel.operate(set, list: operations)
    if outcome.mayPass { owe(operations, to: set, of: lock) }
    return outcome
  }

  /// Remembers what is to be done later, every few milliseconds until it is.
  func owe(_ operations: [Operation], to set: Int32, of lock: Lock?) {
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
      // Of raw operations as much is taken back as goes, as at any end.
      let isAdjustment = debt.lock?.layout == .operations
      let outcome =
        isAdjustment
        ? adjust(debt.set, by: debt.operations, of: debt.lock)
        : giveBack(list: debt.operations, to: debt.set, of: debt.lock)
      guard let lock = debt.lock, locksByCell[lock.cell] === lock, !outcome.mayPass else { continue }
      gaveBack(outcome, on: lock, at: moment)
    }
  }
}

extension KernelOutcome {
  /// Whether it failed for a reason that has nothing to do with the set's values, so that it may go later.
  var mayPass: Bool {
    if case .failed(let failure) = self { failure.mayPass } else { false }
  }
}
