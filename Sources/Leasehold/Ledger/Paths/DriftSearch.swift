import SysVTypes

// Values that do not add up, because another program wrote them: found once a second, and on native sets before each
// grant and each end.
//
// The rule: an end never gives back what the kernel's values do not cover, and never makes more free than there is; of
// what may be natives' nothing is taken. What the time of a set's last write tells stands in Writes.swift.

extension Ledger {
  /// Banks of own locks that one housekeeping looks into.
  private static let banksPerLook = 256

  // MARK: Own locks

  /// Looks into the banks, a bounded number at a time.
  func lookForDriftInBanks(at moment: Moment) {
    for bank in lockTable.nextBanks(Self.banksPerLook) {
      guard case .values(let values) = lockTable.read(set: bank.id.set) else { continue }
      for lock in bank.present where !lock.isDamaged && lock.debts == 0 { inspect(at: lock, values, at: moment) }
    }
  }

  private func inspect(at lock: Lock, _ values: [UInt16], at moment: Moment) {
    let dialect = NamedDialect(place: lock.place.semaphore)
    let (free, counted, capacity) = (Int(values[dialect.semaphore]), Int(values[dialect.ledger]), lock.made)
    let out = counted - (lock.terms?.withheld ?? 0)
    guard out == lock.unitsOut, Int(values[dialect.live]) == capacity else {
      // As when an undo fails: the leases stay, and nothing is granted that could meet them.
      return damage(
        lock, out < lock.unitsOut ? .uncounted : .overcounted, units: abs(out - lock.unitsOut),
        "The set counts \(out) units as out and leases have \(lock.unitsOut)", at: moment)
    }
    let surplus = free + counted - capacity
    guard surplus > 0 else {
      collect(lock)
      return
    }
    let isTaken = lockTable.takeSurplus(surplus, of: lock)
    observers.drifted(
      lock, .surplus, units: surplus,
      "\(free) units are free and \(out) out, of \(capacity): the surplus "
        + (isTaken ? "was taken away." : "is in use."),
      at: moment)
  }

  // MARK: Native locks

  /// Looks at a set: whether it is there, and whether its values cover the leases that stand on it.
  func inspect(at set: NativeSet, at moment: Moment) {
    notice(set, at: moment)
    serveUnserved(at: moment)
  }

  /// The same, and leaves it to the caller to serve the waiters for what was found.
  func notice(_ set: NativeSet, at moment: Moment) {
    switch lockTable.read(set) {
    case .gone: setVanished(set.id.set, at: moment)
    case .unreadable: lookForWrites(to: set, [], newTrace(of: set), at: moment)
    case .values(let values):
      let trace = newTrace(of: set)
      let isWritten = trace.map { $0.isWritten(since: set.trace) } ?? false
      for lock in Array(set.locks.values) where lock.place.countsLeasedUnits {
        if lock.holders.isEmpty {
          if isWritten || lock.capacity != nil { forgetLimitIfAlone(lock, values, isWritten: isWritten) }
        } else {
          endUncounted(on: lock, values, isWritten: isWritten, at: moment)
        }
      }
      lookForWrites(to: set, values, trace, at: moment)
      for lock in set.locks.values where lock.place.countsLeasedUnits && !lock.holders.isEmpty && lock.debts == 0 {
        reportExcess(of: lock, values, at: moment)
      }
    }
  }

  /// Ends leases that their counters do not cover.
  private func endUncounted(on lock: Lock, _ values: [UInt16], isWritten: Bool, at moment: Moment) {
    for counter in lock.place.dialect.counters {
      let value = Int(values[counter.semaphore])
      dropSuspects(of: lock, counter, value, at: moment)
      let units = lock.units(in: counter)
      guard units > 0 else { continue }
      let natives = lock.natives(in: counter, value: value)
      // A program that wrote back what it had read before a lease wrote a unit's weight less, whatever else is counted.
      let fell = (lock.natives[counter] ?? natives) - natives
      let isReset = counter.isShared && isWritten && fell >= units * counter.weight - LeaseCounter.sharedWeight / 4
      if counter.isShort(leaving: natives) || isReset {
        endUncounted(counter, value, units, on: lock, at: moment)
      } else if counter.isShared {
        lock.natives[counter] = natives
      }
    }
  }

  private func reportExcess(of lock: Lock, _ values: [UInt16], at moment: Moment) {
    let excess = lock.place.dialect.counters.filter { !$0.isShared }.reduce(0) {
      $0 + max(0, lock.natives(in: $1, value: Int(values[$1.semaphore])))
    }
    let surplus = self.surplus(of: lock, value: Int(values[lock.place.semaphore]))
    let news = observers.news(of: lock, excess: excess, surplus: surplus)
    if news.excess {
      observers.drifted(
        lock, .overcounted, units: excess,
        "The set counts \(excess) units more as out than leases have: left as they are.", at: moment)
    }
    if news.surplus {
      observers.drifted(
        lock, .surplus, units: surplus,
        "\(surplus) more are free or out than there are: ends of leases give back so many less.", at: moment)
    }
  }

  /// Drops suspects while the value does not cover them: then their units are not in it.
  private func dropSuspects(of lock: Lock, _ counter: LeaseCounter, _ value: Int, at moment: Moment) {
    guard counter.isShared, counter.isShort(leaving: lock.natives(in: counter, value: value)) else { return }
    for suspect in lock.holders where suspect.state == .suspect && counter.counts(suspect.mode) {
      finishMarked(suspect, .undelivered, at: moment.monotonic.nanoseconds).forfeit()
      if !counter.isShort(leaving: lock.natives(in: counter, value: value)) { return }
    }
  }

  /// The units that are free beyond the capacity, where that is known and no program may raise it.
  ///
  /// Of `path:` locks every program may: IPC::Semaphore::Concurrency's `release` adds a slot for every caller.
  private func surplus(of lock: Lock, value: Int) -> Int {
    if case .counter = lock.place.layout { return 0 }
    return lock.capacity.map { max(0, value + lock.unitsOut - $0) } ?? 0
  }

  /// Forgets the limit of the last lease when no handle is counted: PHP then sets one of its own.
  func forgetLimitIfAlone(_ lock: Lock, _ values: [UInt16]? = nil, isWritten: Bool = false) {
    guard lock.place.isPHP, lock.capacity != nil, lock.unitsOut == 0 else { return }
    let usage = PHPDialect.books.lowerBound
    let value = values.map { Int($0[usage]) } ?? lockTable.value(usage, of: lock)
    if isWritten || (value ?? 0) == 0 { lock.capacity = nil }
  }

  /// Ends leases that the set does not count any more; where natives count, too, what it still counts is theirs.
  private func endUncounted(
    _ counter: LeaseCounter, _ value: Int, _ units: Int, on lock: Lock, at moment: Moment
  ) {
    let leases = lock.holders.filter { counter.counts($0.mode) }
    let counted = min(units, value / counter.weight)
    observers.drifted(
      lock, .uncounted, units: max(1, units - counted),
      "The set counts \(value) where \(units) units of leases have \(units * counter.weight): \(leases.count) leases "
        + "are broken, and nothing is given back.", at: moment)
    breakUncovered(leases, at: moment)
    if counted > 0, !counter.isShared {
      lockTable.removeFromCount(Share(.exclusive, units: counted), of: lock)
    }
    forgetLimitIfAlone(lock)
    lock.natives = [:]
    _ = observers.news(of: lock, excess: 0, surplus: 0)
    queues.noteUnserved(lock)
  }

  /// Ends leases and gives nothing back of what they have of their set; what they have of other locks goes back.
  ///
  /// - Parameter uncounting: Whether the ledger's own count of them goes, too.
  func breakUncovered(
    _ leases: [Lease], _ reason: EndReason = .rewritten, uncounting: Bool = false, at moment: Moment
  ) {
    for lease in leases {
      guard let lock = lease.lock else { continue }
      if lease.isOfSeveral {
        endAll(lease.whole, reason, at: moment, uncounting: uncounting) { part, _ in leases.contains { $0 === part } }
        continue
      }
      if uncounting, lease.state != .suspect { lockTable.removeFromCount(lease.share, of: lock) }
      finishMarked(lease, reason, at: moment.monotonic.nanoseconds).forfeit()
    }
  }

  /// The way in which a lease gives back where natives count, too, and more is free or less counted than there should
  /// be: only what fits, and what is there; `nil` as usual.
  ///
  /// - Parameter values: What ``sharedCounts(of:)`` answered.
  func giveBackWithinCapacity(_ share: Share, on lock: Lock, _ values: [UInt16]?) -> [SemaphoreOperation]? {
    guard let values, let counter = lock.counter(of: share.mode) else { return nil }
    let surplus = lock.place.isPHP ? surplus(of: lock, value: Int(values[lock.place.semaphore])) : 0
    let counted = min(share.units * counter.weight, Int(values[counter.semaphore]))
    guard surplus > 0 || counted < share.units * counter.weight else { return nil }
    let back = lock.place.isPHP ? max(0, share.units - surplus) : 0
    return [(back, lock.place.semaphore), (-counted, counter.semaphore)].filter { $0.0 != 0 }.map {
      .add($0.0, to: $0.1)
    }
  }
}
