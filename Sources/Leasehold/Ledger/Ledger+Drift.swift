// Values that do not add up, because somebody wrote them: found once a second, and on native sets before each end.
//
// The rule: an end never gives back what the kernel's values do not cover, and never makes more free than there is.

extension Ledger {
  /// Banks of own locks that one housekeeping looks into.
  private static let banksPerLook = 256
  /// Reports kept until somebody takes them.
  private static let reportsKept = 64

  /// Takes what was found, for the log.
  public func takeDriftReports() -> [DriftReport] {
    defer { driftReports = [] }
    return driftReports
  }

  func report(_ kind: DriftKind, _ lock: Lock, units: Int, _ text: String, at moment: Moment) {
    counters.drift[Int(kind.rawValue)] += 1
    note(.drift, lock, kind.name, text, count: units, at: moment.monotonic.nanoseconds)
    if driftReports.count < Self.reportsKept {
      driftReports.append(DriftReport(kind: kind, key: lock.key.text, units: units, text: text))
    }
  }

  // MARK: Own locks

  /// Looks into the banks, a bounded number at a time.
  func lookForDriftInBanks(at moment: Moment) {
    let all = banks.values.filter { !$0.isEmpty }.sorted { $0.id.set < $1.id.set }
    guard !all.isEmpty else { return }
    for step in 0..<min(all.count, Self.banksPerLook) {
      let bank = all[(driftScan + step) % all.count]
      guard case .values(let values) = kernel.read(bank.id.set) else { continue }
      for lock in bank.locks.compactMap(\.self) where !lock.isDamaged { look(at: lock, values, at: moment) }
    }
    driftScan = (driftScan + Self.banksPerLook) % all.count
  }

  private func look(at lock: Lock, _ values: [UInt16], at moment: Moment) {
    let dialect = NamedDialect(place: lock.dialect.semaphore)
    let (free, out, capacity) = (Int(values[dialect.semaphore]), Int(values[dialect.ledger]), lock.capacity ?? 0)
    guard out == lock.unitsOut, Int(values[dialect.live]) == capacity else {
      // As when an undo fails: the leases stay, and nothing is granted that could meet them.
      return damage(
        lock, out < lock.unitsOut ? .uncounted : .overcounted, units: abs(out - lock.unitsOut),
        "The set counts \(out) units as out and leases have \(lock.unitsOut)", at: moment)
    }
    let surplus = free + out - capacity
    guard surplus > 0 else { return }
    let isTaken = kernel.operate(lock.set.set, OpList(.add(-surplus, to: dialect.semaphore))) == .done
    report(
      .surplus, lock, units: surplus,
      "\(free) units are free and \(out) out, of \(capacity): the surplus "
        + (isTaken ? "was taken away." : "is in use."),
      at: moment)
  }

  // MARK: Native locks

  /// Looks at a set: whether it is there, and whether its values cover the leases that stand on it.
  func look(at set: NativeSet, at moment: Moment) {
    switch kernel.read(set.id.set) {
    case .gone: nativeSetVanished(set, at: moment)
    case .unreadable: break
    case .values(let values) where values.count != set.count: nativeSetVanished(set, at: moment)
    case .values(let values):
      for lock in Array(set.locks.values) where lock.isExact {
        if !lock.holders.isEmpty {
          lookExactly(at: lock, values, at: moment)
        } else if let capacity = lock.capacity, Int(values[lock.dialect.semaphore]) > capacity {
          // Raised while nobody held it: that is nobody's harm, and from now on the number is not known.
          lock.capacity = nil
        }
      }
      lookForWrites(to: set, at: moment)
    }
  }

  private func lookExactly(at lock: Lock, _ values: [UInt16], at moment: Moment) {
    let shares = lock.dialect.sharesOut(values)
    var excess = 0
    for share in shares {
      let leases = shares.count == 1 ? lock.holders : lock.holders.filter { $0.mode == share.mode }
      let known = leases.reduce(0) { $0 + $1.units }
      if share.units < known { return endUncounted(leases, share, known, on: lock, at: moment) }
      excess += share.units - known
    }
    let surplus = self.surplus(of: lock, value: Int(values[lock.dialect.semaphore]))
    guard excess != lock.seenExcess || surplus != lock.seenSurplus else { return }
    if excess > lock.seenExcess {
      report(
        .overcounted, lock, units: excess,
        "The set counts \(excess) units more as out than leases have: left as they are.", at: moment)
    }
    if surplus > lock.seenSurplus {
      report(
        .surplus, lock, units: surplus,
        "\(surplus) more are free or out than there are: ends of leases give back so many less.", at: moment)
    }
    (lock.seenExcess, lock.seenSurplus) = (excess, surplus)
  }

  /// What is free beyond the capacity, where that is known and nobody may raise it.
  ///
  /// Of `path:` locks every program may: IPC::Semaphore::Concurrency's `release` adds a slot for whoever calls it.
  private func surplus(of lock: Lock, value: Int) -> Int {
    if case .counter = lock.layout { return 0 }
    return lock.capacity.map { max(0, value + lock.unitsOut - $0) } ?? 0
  }

  /// Ends leases that the set does not count any more; what is still counted of them is not, from now on.
  private func endUncounted(_ leases: [Lease], _ counted: Share, _ known: Int, on lock: Lock, at moment: Moment) {
    report(
      .uncounted, lock, units: known - counted.units,
      "The set counts \(counted.units) units as out and leases have \(known): \(leases.count) leases are broken, and "
        + "nothing is given back.", at: moment)
    breakUncovered(leases, at: moment)
    if counted.units > 0 {
      let uncount = lock.dialect.uncount(counted)
      _ = kernel.operate(lock.set.set, uncount.count > 0 ? uncount : lock.dialect.giveBack(counted))
    }
    if lock.unitsOut == 0, case .php = lock.layout { lock.capacity = nil }
    (lock.seenExcess, lock.seenSurplus) = (0, 0)
    if !lock.queue.isEmpty { serve(lock, at: moment) }
  }

  /// Ends leases and gives nothing back of what the set does not cover; what they have of other locks goes back.
  private func breakUncovered(_ leases: [Lease], at moment: Moment) {
    for lease in leases where lease.lock != nil {
      let head = lease.head ?? lease
      guard !head.parts.isEmpty else {
        finish(lease, .broken, at: moment.monotonic.nanoseconds)
        continue
      }
      endAll(head, .broken, at: moment, uncounting: false) { part, _ in leases.contains { $0 === part } }
    }
  }

  /// How an exact native lease gives back where more is free than there should be: only what fits; `nil` as usual.
  func cappedGiveBack(_ share: Share, on lock: Lock) -> [Operation]? {
    guard case .php = lock.layout, lock.capacity != nil,
      let value = kernel.value(lock.set.set, lock.dialect.semaphore)
    else { return nil }
    let surplus = surplus(of: lock, value: value)
    guard surplus > 0 else { return nil }
    let back = max(0, share.units - surplus)
    let uncount = lock.dialect.uncount(share)
    let operations = (0..<uncount.count).map { uncount[$0] }
    return back > 0 ? [.add(back, to: lock.dialect.semaphore)] + operations : operations
  }

  // MARK: Sets without a count

  /// Notes when a set was last written, for a lease that nothing counts.
  func markWrites(_ lease: Lease, on set: NativeSet) {
    let trace = kernel.trace(set.id.set)
    lease.setChanged = trace?.changed ?? 0
    set.trace = set.trace ?? trace
  }

  /// This service itself wrote values: what stands on the set by now is not touched by that.
  public func wroteValues(of id: Int32) {
    guard let set = nativeSets[id], let trace = kernel.trace(id) else { return }
    forgive(set, trace)
  }

  private func forgive(_ set: NativeSet, _ trace: SetTrace) {
    set.trace = trace
    for lock in set.locks.values { for lease in lock.holders { lease.setChanged = trace.changed } }
  }

  /// Ends leases whose semaphores somebody wrote, as SETVAL forgets the undo of every process.
  private func lookForWrites(to set: NativeSet, at moment: Moment) {
    guard let before = set.trace, let trace = kernel.trace(set.id.set), trace != before else { return }
    // Owner or mode are new: that moves the time, too, and is the likelier reason.
    guard trace.hasOwnership(of: before) else { return forgive(set, trace) }
    set.trace = trace
    for lock in Array(set.locks.values) where !lock.isExact {
      let leases = lock.holders.filter {
        $0.state != .suspect && $0.setChanged < trace.changed && isWritten($0, of: lock, set)
      }
      guard !leases.isEmpty else { continue }
      report(
        .rewritten, lock, units: leases.reduce(0) { $0 + $1.units },
        "Values of the set were written: \(leases.count) leases are broken, and nothing is given back.", at: moment)
      breakUncovered(leases, at: moment)
      if !lock.queue.isEmpty { serve(lock, at: moment) }
    }
  }

  /// Whether it may be a lease's own semaphore that was written: of several, not one that this process changed last.
  private func isWritten(_ lease: Lease, of lock: Lock, _ set: NativeSet) -> Bool {
    set.count == 1
      || lease.semaphores(of: lock).contains { kernel.lastProcess(set.id.set, $0) != kernel.process }
  }
}
