import SysVTypes

// Recovery: what a daemon that died left in shared memory and in the kernel becomes the ledger's state.
//
// Every step may be cut short and repeated: nothing here decides by what is remembered, only by records and values.
//
//   1. scan the records: locks, leases, ends; a record that does not pass its check is freed
//   2. read each bank: a lock whose place is not in use never got that far, or was on its way out
//   3. attach the leases that are held to their locks; those whose set is gone are over
//   4. for each place: the kernel's units out less the records' sum belong to nobody; one semop gives them back; where
//      natives count, too, that is so of units only that marked records account for (RecoverCounts.swift)
//   5. sets of ours without a lock are removed
//   6. deadlines: what ran out meanwhile gets a grace, once, so that holders can renew; so do leases whose connection
//      is gone (Grace.swift)

extension Ledger {
  /// Takes over what is in shared memory and in the kernel, then begins to serve.
  ///
  /// Call once, as the only daemon.
  public func recover(at moment: Moment) {
    precondition(state == .starting, "the ledger is recovered once")
    observers.ring.epoch = UInt64(clamping: moment.wallMicroseconds)
    var found = journal.scan(at: moment)
    if found.highWater == 0 { lockTable.reclaimUnknownUnitsAfter = (moment.monotonic + limits.ttlMax).nanoseconds }
    endPredecessors(&found, at: moment)
    adoptLocks(&found, at: moment)
    sortUnderway(&found, at: moment)
    resolveConversions(&found)
    resolveUnderway(&found, at: moment)
    adoptLeases(&found, at: moment)
    let leasesMissingAPart = adoptParts(&found)
    adoptEnds(found, at: moment)
    for bank in lockTable.banks.values { returnUnknownUnits(bank, at: moment) }
    for set in lockTable.natives.values { returnUnknownUnits(set, at: moment) }
    distrustOverfullLocks(at: moment)
    for lease in leasesMissingAPart where lease.lock != nil { endAll(lease, .setRemoved, at: moment) }
    observers.recovery.setsRemoved += lockTable.removeStrayBanks()
    journal.rebuild(found, at: moment)
    observers.recovery.damagedRecords += found.damagedRecords
    observers.recovery.leases = leaseTable.count
    observers.recovery.locks = lockTable.count
    state = .ready
  }

  /// Says how long the recovery took, for reports.
  public func noteRecovery(took: TimeSpan) { observers.recovery.took = took }

  /// Decides what was under way where nothing counts what is out: the kernel cannot tell how far it came.
  private func sortUnderway(_ found: inout ScanResult, at moment: Moment) {
    let all = found.underway
    found.underway = []
    for one in all {
      if lockTable[one.record.lockCell]?.place.sharesCount == true {
        found.underway.append(one)
      } else if one.isTaking {
        // Perhaps the undo ran, perhaps it had been dropped: never given back by itself.
        suspect(one, &found)
      } else if one.record[.part] {
        // Given back, as below, and the end of the whole is remembered by its head.
        observers.recovery.unsureReleases += 1
        journal.free(one.cell)
      } else {
        // Given back, but for a window of about a microsecond.
        observers.recovery.unsureReleases += 1
        found.ends.append(journal.end(one, one.word.reason ?? .released, at: moment))
      }
    }
  }

  /// Lets a suspect stand for units of which nobody can know where they are.
  func suspect(_ one: ScannedLease, _ found: inout ScanResult) {
    journal.suspect(one)
    observers.recovery.suspects += 1
    found.leases.append(one)
  }

  /// Ends leases that go on under another id, where the last daemon had no time to say so.
  private func endPredecessors(_ found: inout ScanResult, at moment: Moment) {
    let replaced = Set(found.leases.compactMap(\.record.predecessor))
    guard !replaced.isEmpty else { return }
    var others: [ScannedLease] = []
    for one in found.leases {
      if one.state == .held, replaced.contains(one.record.id.low) {
        found.ends.append(journal.end(one, .transferred, at: moment))
      } else {
        others.append(one)
      }
    }
    found.leases = others
  }

  private func adoptLocks(_ found: inout ScanResult, at moment: Moment) {
    var values: [Int32: [UInt16]] = [:]
    for set in Set(found.locks.lazy.filter { !$0.record.isNative }.map(\.record.set)) {
      values[set] = lockTable.bankValues(set)
    }
    for (cell, record, body) in found.locks {
      // The name is read last: the texts of a lock that does not come back are freed.
      guard record.isNative ? isThere(record) : isInUse(record, values[record.set]),
        let key = journal.name(of: record, body, &found),
        let (lock, isShared) = lockTable.adopt(record, key, at: cell)
      else {
        journal.free(cell)
        continue
      }
      journal.mark(lock: cell, .live, check: body.check)
      if let terms = found.terms[cell], lock.place.isOwn, lock.kind != .readersWriter,
        terms.record.lockCheck == body.lockCheck,
        let live = values[record.set]?[NamedDialect(place: record.place).live],
        let slots = journal.slots(of: terms.record, &found)
      {
        found.usedText.insert(terms.cell)
        adopt(terms, slots, of: lock, live: Int(live))
        values[record.set] = lockTable.bankValues(record.set)
      }
      guard let values = values[record.set] else { continue }
      lookForDamage(of: lock, isShared: isShared, record, values, at: moment)
    }
  }

  /// Returns true when the set of a native lock is there, with as many semaphores as the record says.
  private func isThere(_ record: LockRecord) -> Bool {
    switch lockTable.read(set: record.set) {
    case .gone: false
    case .unreadable: true
    case .values(let values): values.count == record.semaphoreCount
    }
  }

  /// Returns true when the place of an own lock is in use: not when it never got that far, or its set is gone.
  private func isInUse(_ record: LockRecord, _ values: [UInt16]?) -> Bool {
    values.map { $0[NamedDialect(place: record.place).live] != 0 } ?? false
  }

  private func adoptLeases(_ found: inout ScanResult, at moment: Moment) {
    for one in found.leases {
      let (cell, state) = (one.cell, one.state)
      guard leaseTable[one.record.id] == nil else {
        journal.discardDamaged(cell, &found)
        continue
      }
      // The clock may begin anywhere for this daemon, and nothing that happened is still to come.
      var record = one.record
      if case .cooling = state, record.endedAt.magnitude > UInt64(clamping: moment.monotonic.nanoseconds) {
        record.endedAt = record.endedAt.signum() * moment.monotonic.nanoseconds
      }
      guard let lock = lockTable[record.lockCell], record.units <= lock.unitsMax,
        let bytes = journal.text(of: one, &found)
      else {
        // Its lock's set is gone: the lease is over, and its holder is told so.
        observers.recovery.leasesLost += 1
        found.ends.append(journal.end(one, .setRemoved, at: moment))
        continue
      }
      let owner = record.ownerLength.map { String(decoding: bytes.prefix($0), as: UTF8.self) }
      let rest = bytes.dropFirst(record.ownerLength ?? 0)
      let key = record.keyLength > 0 ? String(decoding: rest.prefix(record.keyLength), as: UTF8.self) : nil
      let name =
        record.nameLength > 0
        ? LockKey(trusted: String(decoding: bytes.suffix(record.nameLength), as: UTF8.self)) : lock.key
      let lease = Lease(record, cell: cell, key: name, found: state)
      (lease.owner, lease.idempotencyKey) = (owner, key)
      if state == .held { (lease.graceEnd, lease.record.endedAt) = (max(0, record.endedAt), 0) }
      if record[.process] { lease.bond = ProcessBond(of: record, bytes: rest.dropFirst(record.keyLength)) }
      var place = record.keyLength + (record[.process] ? RecordedProcess.bytes : 0)
      if record[.group] {
        lease.kind = .whole(Lease.Parts(fence: Int64(bitPattern: rest.number(at: place, bytes: 8))))
        place += 8
      }
      if record[.atLeast] {
        lease.atLeast = min(.milliseconds(Int64(rest.number(at: place, bytes: 4))), Limits.deadlineAhead)
      }
      if lock.place.isOperations {
        lease.kind = .operations(
          [SemaphoreOperation](recordBytes: bytes.suffix(record.adjustmentCount * LeaseRecord.adjustmentBytes)))
      }
      if state == .suspect { lease.record.endedAt = moment.monotonic.nanoseconds }
      giveGrace(lease, at: moment)
      register(lease, on: lock)
    }
  }

  private func adoptEnds(_ found: ScanResult, at moment: Moment) {
    for end in found.ends.sorted(by: { $0.record.endedAt < $1.record.endedAt }) {
      var record = end.record
      record.endedAt = min(Int64(clamping: record.endedAt.magnitude), moment.monotonic.nanoseconds)
      let key = lockOnceUnder(record)?.key
      let tombstone = Tombstone(
        id: record.id, key: key, reason: end.word.reason ?? .released, endedAt: record.endedAt, cell: end.cell)
      if let forgotten = leaseTable.remember(tombstone) { journal.free(forgotten) }
    }
  }

  /// The lock that a lease stood on which is over; `nil` where its record is another's by now.
  private func lockOnceUnder(_ record: LeaseRecord) -> Lock? {
    guard let lock = lockTable[record.lockCell], let known = journal.lock(at: record.lockCell), known.firstFence > 0,
      record.fence >= known.firstFence
    else { return nil }
    return lock
  }

  /// Gives back what a dead daemon had taken and no lease has, place by place.
  private func returnUnknownUnits(_ bank: Bank, at moment: Moment) {
    guard let values = lockTable.bankValues(bank.id.set) else { return setVanished(bank.id.set, at: moment) }
    for place in 0..<NamedDialect.locksPerBank {
      let dialect = NamedDialect(place: place)
      let lock = bank.locks[place]
      let out = Int(values[dialect.ledger])
      // The values of a damaged lock tell nothing.
      let known = lock.map { $0.unitsOut + withheld(of: $0, out: out) } ?? 0
      if lock?.isDamaged != true, !giveBackExcess(out - known, dialect.counter, bank.id.set, of: lock), let lock {
        damage(
          lock, .uncounted, units: abs(lock.unitsOut - out),
          "The set counts \(out) units as out and leases have \(lock.unitsOut)", at: moment)
      }
      guard let lock else {
        clear(dialect, of: bank, values)
        continue
      }
      if !lock.isDamaged { collect(lock) }
    }
  }

  /// The same for a set of native programs, lock by lock.
  private func returnUnknownUnits(_ set: NativeSet, at moment: Moment) {
    switch lockTable.read(set) {
    case .gone: setVanished(set.id.set, at: moment)
    case .unreadable: break
    case .values(let values):
      for lock in set.locks.values { returnUnknownUnits(lock, values) }
    }
  }

  /// The same for one lock of native programs, where only this service counts what is out.
  func returnUnknownUnits(_ lock: Lock, _ values: [UInt16]) {
    for counter in lock.place.dialect.counters where !counter.isShared {
      let natives = lock.natives(in: counter, value: Int(values[counter.semaphore]))
      _ = giveBackExcess(natives, lock.place.dialect, lock.set.set, of: lock)
    }
  }

  /// Gives back what the kernel counts as out beyond what the records say; false when it is not covered.
  private func giveBackExcess(_ excess: Int, _ dialect: any LockDialect, _ set: Int32, of lock: Lock?) -> Bool {
    guard excess != 0 else { return true }
    guard excess > 0 else { return false }
    guard lockTable.returnUnknownUnits(excess, dialect, set, of: lock) else { return false }
    observers.recovery.unitsGivenBack += excess
    return true
  }

  /// Marks locks as damaged whose leases have more units than there are: some record is not what it was.
  func distrustOverfullLocks(at moment: Moment) {
    for lock in Array(lockTable.byCell.all) where lock.place.isOwn && lock.unitsOut > lock.made {
      let capacity = lock.made
      damage(
        lock, .uncounted, units: lock.unitsOut - capacity, "Leases have \(lock.unitsOut) units of its \(capacity)",
        at: moment)
    }
  }
}
