import SysVTypes

// The other side of `CrashOrder.swift`: what takes units in the kernel, and what gives them back.

/// Units were taken for a record that is not marked as held yet.
struct Taken: ~Copyable {
  fileprivate init() {}

  /// A record says so now.
  consuming func recorded() { discard self }
  deinit { assertionFailure("units were taken and neither recorded nor given back") }
}

/// The outcome of an attempt to take units.
enum Attempt: ~Copyable {
  case taken(Taken)
  case not(KernelOutcome)

  @inline(__always)
  fileprivate init(_ outcome: KernelOutcome) {
    if case .done = outcome { self = .taken(Taken()) } else { self = .not(outcome) }
  }
}

/// The units that go back at an end.
enum Return {
  /// All of it.
  case share(Share)
  /// The operations that the values still cover.
  case operations([SemaphoreOperation])
  /// The opposite of what raw operations changed, as far as it goes.
  case adjustments([SemaphoreOperation])
  /// Only the count: a caller is about to write the value.
  case countOnly(Share)
  /// Nothing: another program wrote the value.
  case nothing
}

extension LockTable {
  // MARK: Taking

  /// Takes a share, without waiting.
  @inline(__always)
  func take(_ share: Share, of lock: Lock) -> Attempt { Attempt(kernel.operate(lock.set.set, lock.place.take(share))) }

  /// Takes a share of a `php:` lock on which no handle is counted, and puts the limit into force.
  func takeFirst(_ share: Share, of lock: Lock, limit: Int, value: Int) -> Attempt {
    Attempt(kernel.operate(lock.set.set, PHPDialect().takeFirst(share, limit: limit, value: value)))
  }

  /// Takes what lies in one set, as one step.
  func take(_ wanted: [Wanted], in set: Int32) -> Attempt {
    Attempt(kernel.operate(set, list: wanted.flatMap { $0.lock.place.take($0.share).all }))
  }

  /// Returns true when a share is not free now; takes nothing.
  func isBusy(_ wanted: Wanted) -> Bool {
    let probe = wanted.lock.place.dialect.probe(wanted.share, waits: false)
    return kernel.operate(wanted.lock.set.set, probe) == .wouldBlock
  }

  /// Makes permanent what was taken with SEM_UNDO, where nothing counts what is out on leases.
  func makePermanent(_ share: Share, of lock: Lock, _ armed: borrowing Armed) -> Attempt {
    Attempt(kernel.operate(lock.set.set, lock.place.dialect.permanentTake(share)))
  }

  /// The same for one of several; `nil` when it is done.
  func makePermanent(_ share: Share, of lock: Lock, _ taken: borrowing TakenSets) -> KernelOutcome? {
    let outcome = kernel.operate(lock.set.set, lock.place.dialect.permanentTake(share))
    return outcome == .done ? nil : outcome
  }

  /// Turns what a thread waited for with SEM_UNDO into units out on a lease.
  func takeWaited(_ share: Share, of lock: Lock) -> Attempt {
    Attempt(kernel.operate(lock.set.set, lock.place.dialect.permanentWait(share)))
  }

  /// Claims what was taken with SEM_UNDO already, by a waiting thread or for a caller: it is permanent only later.
  func claim() -> Taken { Taken() }

  /// Gives back what a writer has beyond a reader's share.
  func giveDown(of lock: Lock, _ form: borrowing Form) -> Attempt {
    Attempt(kernel.operate(lock.set.set, lock.place.dialect.downgrade(capacity: lock.capacity)))
  }

  // MARK: Giving back

  /// Gives back what a lease had, once: its record is marked as ended.
  @inline(__always)
  func giveBack(_ what: Return, of lock: Lock, _ ended: consuming Ended) -> KernelOutcome {
    ended.forfeit()
    return giveBack(what, of: lock)
  }

  /// The same for a lease whose record says that this is under way.
  func giveBack(_ what: Return, of lock: Lock, _ ending: borrowing Ending) -> KernelOutcome {
    giveBack(what, of: lock)
  }

  @inline(__always)
  private func giveBack(_ what: Return, of lock: Lock) -> KernelOutcome {
    switch what {
    case .share(let share): giveBack(returning(share, of: lock), to: lock.set.set, of: lock)
    case .operations(let operations): giveBack(list: operations, to: lock.set.set, of: lock)
    case .adjustments(let adjustments): adjust(lock.set.set, by: adjustments, of: lock)
    case .countOnly(let share): removeFromCount(share, of: lock)
    case .nothing: .done
    }
  }

  /// Takes a share out of the count of what is out, where there is one, and gives nothing back: a caller wrote the
  /// value, or is about to.
  @discardableResult
  func removeFromCount(_ share: Share, of lock: Lock) -> KernelOutcome {
    giveBack(lock.place.dialect.removeFromCount(share), to: lock.set.set, of: lock)
  }

  /// Gives back what was taken for a lease of several that does not come to be; what nothing counts has its undo yet,
  /// unless that was dropped.
  @discardableResult
  func untake(
    _ share: Share, of lock: Lock, isPermanent: Bool, _ taken: borrowing TakenSets
  ) -> KernelOutcome {
    guard isPermanent else { return dropWaited(share, of: lock) }
    return giveBack(returning(share, of: lock), to: lock.set.set, of: lock)
  }

  /// Gives back what was taken with SEM_UNDO and no waiter wants.
  @discardableResult
  func dropWaited(_ share: Share, of lock: Lock) -> KernelOutcome {
    giveBack(lock.place.dialect.wait(for: share).drop, to: lock.set.set, of: lock)
  }

  /// Gives back what a thread waited for and no waiter wants; its lock may be forgotten.
  func drop(_ wait: KernelWait, of lock: Lock?) {
    _ = giveBack(wait.steps.drop, to: wait.set, of: lock)
  }

  /// The same where no more goes back than the limit allows, and no handle that is not counted any more (`php:`).
  ///
  /// - Parameters:
  ///   - surplus: What is free beyond the limit.
  ///   - isCounted: Whether the waiter's handle is counted still.
  func drop(_ wait: KernelWait, of lock: Lock, surplus: Int, isCounted: Bool) {
    var operations = [SemaphoreOperation.addUndone(wait.share.units, to: lock.place.semaphore)]
    if surplus > 0 { operations.append(.add(-surplus, to: lock.place.semaphore)) }
    if isCounted { operations.append(.addUndone(-1, to: PHPDialect.books.lowerBound)) }
    _ = giveBack(list: operations, to: wait.set, of: lock)
  }

  /// Takes away what is free beyond the capacity; false when it is in use.
  func takeSurplus(_ units: Int, of lock: Lock) -> Bool {
    kernel.operate(lock.set.set, OpList(.add(-units, to: lock.place.semaphore))) == .done
  }

  /// Gives back what the kernel counts as out beyond what the records say; false when the values do not cover it.
  func returnUnknownUnits(_ units: Int, _ dialect: any LockDialect, _ set: Int32, of lock: Lock?) -> Bool {
    let outcome = giveBack(dialect.giveBack(Share(.exclusive, units: units)), to: set, of: lock)
    return outcome == .done || outcome.mayPass
  }

  // MARK: Debts

  private func giveBack(_ operations: OpList, to set: Int32, of lock: Lock?) -> KernelOutcome {
    guard operations.count > 0 else { return .done }
    let outcome = kernel.operate(set, operations)
    if outcome.mayPass { owe(operations.all, to: set, of: lock) }
    return outcome
  }

  private func giveBack(list operations: [SemaphoreOperation], to set: Int32, of lock: Lock?) -> KernelOutcome {
    let outcome = kernel.operate(set, list: operations)
    if outcome.mayPass { owe(operations, to: set, of: lock) }
    return outcome
  }

  /// Remembers what is to be done later, every few milliseconds until it is.
  private func owe(_ operations: [SemaphoreOperation], to set: Int32, of lock: Lock?) {
    debts.open.append(Debt(set: set, operations: operations, lock: lock))
    lock?.debts += 1
  }

  /// Does what could not be done before.
  func pay(_ debt: Debt) -> KernelOutcome {
    debt.lock?.debts -= 1
    precondition(debt.lock?.debts ?? 0 >= 0, "a debt is paid once")
    // As much as possible of raw operations is taken back, as at any end.
    return debt.lock?.place.isOperations == true
      ? adjust(debt.set, by: debt.operations, of: debt.lock)
      : giveBack(list: debt.operations, to: debt.set, of: debt.lock)
  }

  // MARK: Raw operations

  /// Drops the undo of operations that a caller did with SEM_UNDO, and changes no value.
  func makePermanent(_ adjustments: [SemaphoreOperation], of lock: Lock, _ armed: borrowing Armed) -> Attempt {
    Attempt(dropUndo(adjustments, on: lock.set.set))
  }

  /// A piece that fits beside any value, or else can be taken from it: one of the two always works.
  private static var smallPiece: Int { Limits.slots / 2 }

  /// Drops the undo in one step, unless that is longer than the kernel takes or a value is in the way of a large one.
  private func dropUndo(_ adjustments: [SemaphoreOperation], on set: Int32) -> KernelOutcome {
    guard !adjustments.isEmpty else { return .done }
    let pieces = adjustments.flatMap(Self.pieces)
    let outcome = kernel.operate(set, list: pieces.flatMap { Self.dropUndo($0, upFirst: true) })
    guard outcome != .done, outcome != .removed else { return outcome }
    for piece in pieces {
      var outcome = KernelOutcome.wouldBlock
      var tries = 0
      while outcome.isOutOfRange, tries < 100 {
        outcome = kernel.operate(set, list: Self.dropUndo(piece, upFirst: tries % 2 == 0))
        tries += 1
      }
      guard outcome == .done else {
        return outcome == .wouldBlock ? .failed(KernelFailure(.wouldBlock)) : outcome
      }
    }
    return .done
  }

  /// Two operations: what the undo would add, so that it adds nothing any more, and the opposite without undo.
  private static func dropUndo(_ adjustment: SemaphoreOperation, upFirst: Bool) -> [SemaphoreOperation] {
    let (delta, semaphore) = (Int(adjustment.delta), Int(adjustment.semaphore))
    let steps = [SemaphoreOperation.addUndone(delta, to: semaphore), .add(-delta, to: semaphore)]
    return (delta > 0) == upFirst ? steps : steps.reversed()
  }

  private static func pieces(_ adjustment: SemaphoreOperation) -> [SemaphoreOperation] {
    var left = Int(adjustment.delta)
    var pieces: [SemaphoreOperation] = []
    while left != 0 {
      let piece = max(-smallPiece, min(smallPiece, left))
      pieces.append(.add(piece, to: Int(adjustment.semaphore)))
      left -= piece
    }
    return pieces
  }

  /// Applies adjustments as the kernel does when a process exits: semaphore by semaphore, without waiting, no value
  /// below 0 or above 32767.
  private func adjust(_ set: Int32, by adjustments: [SemaphoreOperation], of lock: Lock?) -> KernelOutcome {
    var worst = KernelOutcome.done
    for adjustment in adjustments {
      let outcome = adjust(set, by: adjustment, of: lock)
      if outcome == .removed { return .removed }
      if outcome != .done { worst = outcome }
    }
    return worst
  }

  /// One semaphore: all of it, or else as much as goes, in halves of halves so that no value needs to be read.
  private func adjust(_ set: Int32, by adjustment: SemaphoreOperation, of lock: Lock?) -> KernelOutcome {
    let (semaphore, sign) = (Int(adjustment.semaphore), Int(adjustment.delta.signum()))
    let outcome = giveBack(OpList(.add(Int(adjustment.delta), to: semaphore)), to: set, of: lock)
    guard outcome.isOutOfRange else { return outcome }
    var left = abs(Int(adjustment.delta))
    var piece = 1 << 14
    while piece > 0 {
      guard piece <= left else {
        piece /= 2
        continue
      }
      let outcome = kernel.operate(set, OpList(.add(sign * piece, to: semaphore)))
      if outcome == .done {
        left -= piece
      } else if outcome.isOutOfRange {
        piece /= 2
      } else {
        if outcome.mayPass { owe([.add(sign * left, to: semaphore)], to: set, of: lock) }
        return outcome
      }
    }
    return .done
  }

  /// Takes operations back that were done and get no lease, as one step, or else as an exit would; false when that does
  /// not go.
  func takeBack(_ steps: [SemaphoreOperation], on set: Int32) -> Bool {
    let outcome = kernel.operate(set, list: steps.reversed().filter { $0.delta != 0 }.map(\.inverse))
    if outcome == .done || outcome == .removed { return true }
    return dropUndo(SemaphoreOperation.adjustments(steps.filter(\.undoes)), on: set) == .done
      && adjust(set, by: SemaphoreOperation.adjustments(steps), of: nil) == .done
  }

  // MARK: Places

  /// Puts a place into use; fails unless it is clean.
  func openPlace(_ place: Int, of bank: Bank, capacity: Int) -> KernelOutcome {
    kernel.operate(bank.id.set, NamedDialect(place: place).open(capacity: capacity))
  }

  /// Takes a place out of use; fails unless every unit is free or withheld.
  func closePlace(_ place: Int, of bank: Bank, capacity: Int, withheld: Int = 0) -> KernelOutcome {
    kernel.operate(bank.id.set, NamedDialect(place: place).retire(capacity: capacity, withheld: withheld))
  }

  /// Writes a place's semaphores as they are where no lock is.
  func clearPlace(_ place: Int, of bank: Bank) -> KernelOutcome {
    let dialect = NamedDialect(place: place)
    for semaphore in [dialect.live, dialect.ledger, dialect.semaphore] {
      let outcome = kernel.write(0, to: semaphore, of: bank.id.set)
      guard outcome == .done else { return outcome }
    }
    return .done
  }

  /// Puts the limit of a `php:` set into force, unless a handle is counted.
  func openPHP(_ set: Int32, limit: Int, value: Int) -> KernelOutcome {
    kernel.operate(set, PHPDialect().open(limit: limit, value: value))
  }
}

extension KernelOutcome {
  /// True when a value would have left its range.
  var isOutOfRange: Bool {
    switch self {
    case .wouldBlock: true
    case .failed(let failure): failure.errno == .outOfRange
    case .done, .removed: false
    }
  }
}

extension SemaphoreOperation {
  /// Takes this step back; if it was done with SEM_UNDO, its undo too.
  fileprivate var inverse: SemaphoreOperation {
    SemaphoreOperation(
      semaphore: semaphore, delta: Int16(clamping: -Int(delta)), flags: undoes ? [.nowait, .undo] : .nowait)
  }
}
