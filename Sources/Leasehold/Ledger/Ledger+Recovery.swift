import SysVTypes

// Recovery: what a daemon that died left in shared memory and in the kernel becomes the ledger's state.
//
// Every step may be cut short and repeated: nothing here decides by what is remembered, only by records and values.
//
//   1. scan the records: locks, leases, ends; a record that does not pass its check is freed
//   2. read each bank: a lock whose place is not in use never got that far, or was on its way out
//   3. attach the leases that are held to their locks; those whose set is gone are over
//   4. for each place: the kernel's units out less the records' sum belong to nobody; one semop gives them back; where
//      natives count, too, that is so of units only that marked records account for (Ledger+RecoverCounts.swift)
//   5. sets of ours without a lock are removed
//   6. deadlines: what ran out meanwhile gets a grace, once, so that holders can renew; so do leases whose connection
//      is gone (Ledger+Grace.swift)

extension Ledger {
  /// Takes over what is in shared memory and in the kernel, then begins to serve.
  ///
  /// Call once, as the only daemon.
  public func recover(at moment: Moment) {
    ring.epoch = UInt64(clamping: moment.wallMicroseconds)
    var found = journal.scan(at: moment)
    if found.highWater == 0 { reclaimUnknownUnitsAfter = (moment.monotonic + limits.ttlMaximum).nanoseconds }
    endPredecessors(&found, at: moment)
    adoptLocks(&found, at: moment)
    sortUnderway(&found, at: moment)
    resolveConversions(&found)
    resolveUnderway(&found, at: moment)
    adoptLeases(&found, at: moment)
    let leasesMissingAPart = adoptParts(&found)
    adoptEnds(found, at: moment)
    for bank in Array(banks.values) { returnUnknownUnits(bank, at: moment) }
    for set in Array(nativeSets.values) { returnUnknownUnits(set, at: moment) }
    distrustOverfullLocks(at: moment)
    for lease in leasesMissingAPart where lease.lock != nil { endAll(lease, .setRemoved, at: moment) }
    removeStrayBanks()
    journal.rebuild(found, at: moment)
    recovery.damagedRecords += found.damagedRecords
    recovery.leases = liveLeases
    recovery.locks = lockCount
    state = .ready
  }

  /// Says how long the recovery took, for reports.
  public func noteRecovery(took: TimeSpan) { recovery.took = took }

  /// Decides what was under way where nothing counts what is out: the kernel cannot tell how far it came.
  private func sortUnderway(_ found: inout ScanResult, at moment: Moment) {
    let all = found.underway
    found.underway = []
    for one in all {
      if locksByCell[one.record.lockCell]?.place.sharesCount == true {
        found.underway.append(one)
      } else if one.isTaking {
        // Perhaps the undo ran, perhaps it had been dropped: never given back by itself.
        suspect(one, &found)
      } else if one.record.isPart {
        // Given back, as below, and the end of the whole is remembered by its head.
        recovery.unsureReleases += 1
        journal.free(one.cell)
      } else {
        // Given back, but for a window of about a microsecond.
        recovery.unsureReleases += 1
        found.ends.append(journal.end(one, one.word.reason ?? .released, at: moment))
      }
    }
  }

  /// Nobody can know where its units are: a suspect stands for them.
  func suspect(_ one: ScannedLease, _ found: inout ScanResult) {
    journal.suspect(one)
    recovery.suspects += 1
    found.leases.append(one)
  }

  /// A lease that goes on under another id is over, where the last daemon had no time to say so.
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
    var values: [Int32: [UInt16]?] = [:]
    for (cell, record, body) in found.locks {
      // The name is read last: the texts of a lock that does not come back are freed.
      guard record.isNative ? isThere(record) : isInUse(record, &values),
        let key = journal.name(of: record, body, &found),
        let lock = record.isNative
          ? adoptNative(record, key, cell) : adoptNamed(record, key, cell, values: values[record.set] ?? nil)
      else {
        journal.free(cell)
        continue
      }
      locksByCell[cell] = lock
      journal.mark(lock: cell, .live, check: body.check)
      if let values = values[record.set] ?? nil { lookForDamage(of: lock, record, values, at: moment) }
    }
  }

  /// Whether the set of a native lock is there, with as many semaphores as the record says.
  private func isThere(_ record: LockRecord) -> Bool {
    switch lockTable.read(set: record.set) {
    case .gone: false
    case .unreadable: true
    case .values(let values): values.count == record.semaphoreCount
    }
  }

  /// Whether the place of an own lock is in use: not when it never got that far, or its set is gone.
  private func isInUse(_ record: LockRecord, _ values: inout [Int32: [UInt16]?]) -> Bool {
    if values[record.set] == nil { values[record.set] = .some(lockTable.bankValues(record.set)) }
    guard let present = values[record.set] ?? nil else { return false }
    return present[NamedDialect(place: record.place).live] != 0
  }

  private func adoptNamed(_ record: LockRecord, _ key: LockKey, _ cell: Int, values: [UInt16]?) -> Lock? {
    guard case .named(let kind) = record.layout, values != nil, locksByKey[key] == nil else { return nil }
    let bank = adoptBank(BankID(set: record.set, key: record.sysvKey))
    let lock = Lock(
      key: key, cell: cell, place: .own(bank, place: UInt8(record.place), isCounting: kind != .readersWriter),
      capacity: record.capacity, textCell: record.textCell, lastUse: record.lastUse)
    bank.block(record.place)
    locksByKey[key] = lock
    return lock
  }

  private func adoptNative(_ record: LockRecord, _ key: LockKey, _ cell: Int) -> Lock? {
    let set = adoptSet(BankID(set: record.set, key: record.sysvKey), count: record.semaphoreCount)
    guard set.locks[record.place] == nil else { return nil }
    let lock = Lock(
      key: key, cell: cell, place: Place(set, record.layout, record.place), capacity: record.capacity,
      textCell: record.textCell, lastUse: record.lastUse)
    set.locks[record.place] = lock
    return lock
  }

  private func adoptBank(_ id: BankID) -> Bank {
    if let bank = banks[id.set] { return bank }
    let bank = Bank(id: id)
    banks[id.set] = bank
    return bank
  }

  private func adoptLeases(_ found: inout ScanResult, at moment: Moment) {
    for one in found.leases {
      let (cell, state) = (one.cell, one.state)
      guard leasesByID[one.record.id] == nil else {
        journal.discardDamaged(cell, &found)
        continue
      }
      // The clock may begin anywhere for this daemon, and nothing that happened is still to come.
      var record = one.record
      if state == .cooling, record.endedAt.magnitude > UInt64(clamping: moment.monotonic.nanoseconds) {
        record.endedAt = record.endedAt.signum() * moment.monotonic.nanoseconds
      }
      guard let lock = locksByCell[record.lockCell], record.units <= lock.unitsMax,
        let bytes = journal.text(of: one, &found)
      else {
        // Its lock's set is gone: the lease is over, and its holder is told so.
        recovery.leasesLost += 1
        found.ends.append(journal.end(one, .setRemoved, at: moment))
        continue
      }
      let owner = record.ownerLength.map { String(decoding: bytes.prefix($0), as: UTF8.self) }
      let rest = bytes.dropFirst(record.ownerLength ?? 0)
      let key = record.keyLength > 0 ? String(decoding: rest.prefix(record.keyLength), as: UTF8.self) : nil
      let name =
        record.nameLength > 0 ? LockKey(trusted: String(decoding: bytes.suffix(record.nameLength), as: UTF8.self)) : nil
      let lease = Lease(record, cell: cell, lock: lock, key: name, owner: owner, idempotencyKey: key)
      lease.state = state
      if state == .held { (lease.graceEnd, lease.endedAt) = (max(0, record.endedAt), 0) }
      if record.bindsProcess { lease.bond = ProcessBond(recordBytes: rest.dropFirst(record.keyLength)) }
      if record.hasGroup {
        let place = record.keyLength + (record.bindsProcess ? RecordedProcess.bytes : 0)
        lease.kind = .whole(
          Lease.Parts(fence: rest.dropFirst(place).prefix(8).reversed().reduce(0) { $0 << 8 | Int64($1) }))
      }
      if lock.place.isOperations {
        lease.kind = .operations(
          [SemaphoreOperation](recordBytes: bytes.suffix(record.adjustmentCount * LeaseRecord.adjustmentBytes)))
      }
      if state == .suspect { lease.endedAt = moment.monotonic.nanoseconds }
      adopt(lease, on: lock, at: moment)
    }
  }

  private func adopt(_ lease: Lease, on lock: Lock, at moment: Moment) {
    attach(lease, to: lock)
    leasesByCell[lease.cell] = lease
    // Nobody was told of a suspect: a retry is a new request.
    if lease.state != .suspect {
      leasesByID[lease.id] = lease
      if let scope = IdempotencyScope(lease) { idempotency[scope] = .lease(lease) }
    }
    if lease.state == .cooling { coolingLeases += 1 }
    if lease.state == .suspect { suspectLeases += 1 }
    giveGrace(lease, at: moment)
    if lease.due > 0 { leaseDeadlines.insert(lease) }
  }

  private func adoptEnds(_ found: ScanResult, at moment: Moment) {
    for (cell, ended, reason) in found.ends.sorted(by: { $0.record.endedAt < $1.record.endedAt }) {
      if tombstones.isFull { forgetOldestEnd() }
      var record = ended
      record.endedAt = min(Int64(clamping: ended.endedAt.magnitude), moment.monotonic.nanoseconds)
      tombstones.append(Tombstone(record, of: lockOnceUnder(record)?.key, cell: cell, reason: reason))
    }
  }

  /// The lock that a lease stood on which is over; `nil` where its record is another's by now.
  private func lockOnceUnder(_ record: LeaseRecord) -> Lock? {
    guard let lock = locksByCell[record.lockCell], let known = journal.lock(at: record.lockCell), known.firstFence > 0,
      record.fence >= known.firstFence
    else { return nil }
    return lock
  }

  /// Gives back what a dead daemon had taken for nobody, place by place.
  private func returnUnknownUnits(_ bank: Bank, at moment: Moment) {
    guard let values = lockTable.bankValues(bank.id.set) else { return bankVanished(bank, at: moment) }
    for place in 0..<NamedDialect.locksPerBank {
      let dialect = NamedDialect(place: place)
      let lock = bank.locks[place]
      let out = Int(values[dialect.ledger])
      // Of a lock that is damaged the values tell nothing.
      if lock?.isDamaged != true, !giveBackExcess(out - (lock?.unitsOut ?? 0), dialect, bank.id.set, of: lock),
        let lock
      {
        damage(
          lock, .uncounted, units: abs(lock.unitsOut - out),
          "The set counts \(out) units as out and leases have \(lock.unitsOut)", at: moment)
      }
      if lock == nil { clear(dialect, of: bank, values) }
    }
  }

  /// The same for a set of native programs, lock by lock.
  private func returnUnknownUnits(_ set: NativeSet, at moment: Moment) {
    switch lockTable.read(set) {
    case .gone: nativeSetVanished(set, at: moment)
    case .unreadable: break
    case .values(let values):
      for lock in set.locks.values { returnUnknownUnits(lock, values) }
    }
  }

  /// The same for one lock of native programs, where nobody but this service counts what is out.
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
    recovery.unitsGivenBack += excess
    return true
  }

  private func removeStrayBanks() {
    for id in lockTable.banks() where banks[id.set] == nil {
      lockTable.remove(id)
      recovery.setsRemoved += 1
    }
  }

  /// More units on leases than a lock has: some record is not what it was, and nothing is granted that could meet them.
  func distrustOverfullLocks(at moment: Moment) {
    for lock in Array(locksByCell.all) where lock.place.isOwn && lock.unitsOut > lock.capacity ?? 0 {
      let capacity = lock.capacity ?? 0
      damage(
        lock, .uncounted, units: lock.unitsOut - capacity, "Leases have \(lock.unitsOut) units of its \(capacity)",
        at: moment)
    }
  }
}
