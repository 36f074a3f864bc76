// Own locks whose values another program wrote.
//
// What is free and what is out does not add up any more, so nothing is granted, and the waiters are told. Leases
// stay: their holders rely on them. That a lock is damaged is in its record, because after a crash the values alone
// might look as if native programs held the rest. An operator removes the lock by force, which puts its three
// semaphores right and touches no other lock of the set.

extension Ledger {
  /// Notes that another program wrote a lock's values.
  ///
  /// - Parameters:
  ///   - units: By how many; 0 where that is not known.
  ///   - found: What was seen, without a full stop.
  func damage(_ lock: Lock, _ kind: DriftKind, units: Int, _ found: String, at moment: Moment) {
    guard !lock.isDamaged, lock.place.isOwn else { return }
    lockTable.markDamaged(lock)
    journal.setDamaged(lock.cell)
    observers.drifted(
      lock, kind, units: units,
      "\(found): the lock is damaged and grants nothing until \(Self.mending(lock)).", at: moment)
    observers.bumpVersion(of: lock)
    while let waiter = lock.queue.first { dismiss(waiter.lead, Self.damaged(lock)) }
    followHead(lock)
    serveUnserved(at: moment)
  }

  /// Forgets a damaged lock, and leaves its place as if it had never been used.
  ///
  /// The mark that the place is in use goes first: what a crash leaves behind it belongs to no lock, and the next
  /// daemon clears it.
  func mend(_ lock: Lock, at moment: Moment) {
    guard let bank = lock.place.bank else { return }
    let place = lock.place.semaphore
    let all = lockTable.byCell.all
    let isShared = all.contains { $0 !== lock && $0.place.bank === bank && $0.place.semaphore == place }
    journal.mark(lock: lock.cell, .retiring)
    let outcome = isShared ? .wouldBlock : lockTable.clearPlace(place, of: bank)
    if outcome == .removed { return setVanished(bank.id.set, at: moment) }
    forget(lock)
    bank.mend(place)
    if outcome == .done { lockTable.dropIfEmpty(bank) } else { bank.block(place) }
  }

  // MARK: At a start

  /// Marks a lock as damaged whose values another program wrote: the last daemon noticed it, or it happened since.
  ///
  /// - Parameter isShared: Whether another lock has its place, too.
  func lookForDamage(of lock: Lock, isShared: Bool, _ record: LockRecord, _ values: [UInt16], at moment: Moment) {
    guard lock.place.isOwn else { return }
    let live = Int(values[NamedDialect(place: record.place).live])
    if record.isDamaged {
      damage(lock, .uncounted, units: 0, "The last daemon found its values written", at: moment)
    } else if live != lock.made || isShared {
      damage(
        lock, .overcounted, units: abs(live - lock.made),
        "The set says that the lock has \(live) units, and it has \(lock.made)", at: moment)
    }
  }

  /// Takes a place that no record knows out of use, or blocks it while natives hold units of it; where it is out of
  /// use, what was left there goes.
  func clear(_ dialect: NamedDialect, of bank: Bank, _ values: [UInt16]) {
    if values[dialect.live] != 0 {
      let outcome = lockTable.closePlace(dialect.place, of: bank, capacity: Int(values[dialect.live]))
      if outcome != .done { bank.block(dialect.place) }
    } else if values[dialect.semaphore] != 0 || values[dialect.ledger] != 0,
      lockTable.clearPlace(dialect.place, of: bank) != .done
    {
      bank.block(dialect.place)
    }
  }

  // MARK: Words

  /// The one command that mends a lock, and does nothing to others.
  private static func mending(_ lock: Lock) -> String { "DELETE /locks/\(lock.key.pathSegment)?force=true" }

  static func damaged(_ lock: Lock) -> LeaseholdError {
    LeaseholdError(
      .ledgerDamaged,
      "Lock '\(lock.key)' is damaged: another program wrote its values in semaphore set \(lock.set.set), so nothing is "
        + "granted. \(mending(lock)) ends what it still protects and puts its values right; other locks of the set are "
        + "not touched.",
      facts: [
        ("key", .text(lock.key.text)), ("damaged", .flag(true)), ("set", .number(Int64(lock.set.set))),
        ("mend", .text(mending(lock))),
      ])
  }
}
