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

/// What the scan found, before anything is decided.
struct Findings {
  var leases: [(cell: Int, record: LeaseRecord, state: Lease.State, body: CellBody)] = []
  var parts: [(cell: Int, record: LeaseRecord, body: CellBody)] = []
  var conversions: [(cell: Int, record: LeaseRecord, body: CellBody)] = []
  var ends: [(cell: Int, record: LeaseRecord, reason: EndReason)] = []
  var locks: [(cell: Int, record: LockRecord, body: CellBody)] = []
  var underway: [Underway] = []
  var usedText: Set<Int> = []
}

extension Ledger {
  /// Takes over what is in shared memory and in the kernel, then begins to serve.
  ///
  /// Call once, as the only daemon.
  public func recover(at moment: Moment) {
    ring.epoch = UInt64(clamping: moment.wallMicroseconds)
    let highWater = usedRecords()
    if highWater == 0 { strangersFrom = (moment.monotonic + limits.ttlMaximum).nanoseconds }
    leasesByCell = Array(repeating: nil, count: highWater)
    locksByCell = Array(repeating: nil, count: highWater)
    lastFence = believed(.lastFence, 0...Limits.foundFence) ?? 0
    var findings = scan(highWater, at: moment)
    endPredecessors(&findings, at: moment)
    adoptLocks(&findings, at: moment)
    sortUnderway(&findings, at: moment)
    resolveConversions(&findings)
    resolveUnderway(&findings, at: moment)
    adoptLeases(&findings, at: moment)
    let bereft = adoptParts(&findings)
    adoptEnds(findings, at: moment)
    for bank in Array(banks.values) { settle(bank, at: moment) }
    for set in Array(nativeSets.values) { settle(set, at: moment) }
    distrustOverfullLocks(at: moment)
    for lease in bereft where lease.lock != nil { endAll(lease, .setRemoved, at: moment) }
    removeStrayBanks()
    freeUnused(highWater, findings)
    recovery.leases = liveLeases
    recovery.locks = lockCount
    storage.setHeader(.highWater, UInt64(highWater))
    storage.setHeader(.lastFence, UInt64(lastFence))
    // From here on deadlines are of this clock; until here a repeated recovery must see that some may not be.
    storage.setHeader(.lastSeen, UInt64(clamping: moment.monotonic.nanoseconds))
    state = .ready
  }

  /// Says how long the recovery took, for reports.
  public func noteRecovery(took: TimeSpan) { recovery.took = took }

  private func scan(_ highWater: Int, at moment: Moment) -> Findings {
    var findings = Findings()
    for cell in 0..<highWater {
      let word = storage.commitWord(at: cell)
      if word == .free { continue }
      let body = storage.body(at: cell)
      guard let state = word.state, let kind = word.kind, word.check == body.check else {
        discardDamaged(cell)
        continue
      }
      switch (kind, state) {
      case (.lease, .live), (.lease, .cooling), (.lease, .ended), (.lease, .arming), (.lease, .disarming),
        (.lease, .suspect), (.lease, .converting):
        guard var record = LeaseRecord(body) else { discardDamaged(cell); continue }
        if record.fence <= Limits.foundFence { lastFence = max(lastFence, record.fence) }
        bringToThisClock(&record, state, cell, at: moment)
        sort(record, state, word, cell, body, into: &findings, at: moment)
      case (.lock, .live), (.lock, .preparing), (.lock, .retiring):
        guard var record = LockRecord(body) else { discardDamaged(cell); continue }
        record.lastUse = min(record.lastUse, moment.monotonic.nanoseconds)
        findings.locks.append((cell, record, body))
      case (.text, .live): break
      default: discardDamaged(cell)
      }
    }
    return findings
  }

  /// Tells leases from ends, and both from what was under way.
  private func sort(
    _ record: LeaseRecord, _ state: CommitWord.State, _ word: CommitWord, _ cell: Int, _ body: CellBody,
    into findings: inout Findings, at moment: Moment
  ) {
    switch state {
    case .converting: findings.conversions.append((cell, record, body))
    case .live where record.isPart: findings.parts.append((cell, record, body))
    case .ended: findings.ends.append((cell, record, word.reason ?? .released))
    case .arming, .disarming: findings.underway.append(Underway(cell: cell, record: record, body: body, word: word))
    case .suspect:
      recovery.suspects += 1
      findings.leases.append((cell, record, .suspect, body))
    default: findings.leases.append((cell, record, state == .cooling ? .cooling : .held, body))
    }
  }

  /// Decides what was under way where nothing counts what is out: the kernel cannot tell how far it came.
  private func sortUnderway(_ findings: inout Findings, at moment: Moment) {
    let all = findings.underway
    findings.underway = []
    for one in all {
      let lock = locksByCell.indices.contains(one.record.lockCell) ? locksByCell[one.record.lockCell] : nil
      if lock?.place.sharesCount == true {
        findings.underway.append(one)
      } else if one.isTaking {
        // Perhaps the undo ran, perhaps it had been dropped: never given back by itself.
        storage.commit(CommitWord(.suspect, .lease, check: one.word.check), at: one.cell)
        recovery.suspects += 1
        findings.leases.append((one.cell, one.record, .suspect, one.body))
      } else if one.record.isPart {
        // Given back, as below, and the end of the whole is remembered by its head.
        recovery.unsureReleases += 1
        storage.commit(.free, at: one.cell)
      } else {
        // Given back, but for a window of about a microsecond.
        recovery.unsureReleases += 1
        findings.ends.append(end(one.record, one.word.reason ?? .released, one.body, one.cell, at: moment))
      }
    }
  }

  /// Ends a lease that was found, as of now.
  func end(
    _ record: LeaseRecord, _ reason: EndReason, _ body: CellBody, _ cell: Int, at moment: Moment
  ) -> (cell: Int, record: LeaseRecord, reason: EndReason) {
    var ended = record
    ended.endedAt = moment.monotonic.nanoseconds
    storage.store(UInt64(ended.endedAt), .second, at: cell)
    storage.commit(CommitWord(.ended, .lease, check: body.check, reason: reason), at: cell)
    return (cell, ended, reason)
  }

  /// A lease that goes on under another id is over, where the last daemon had no time to say so.
  private func endPredecessors(_ findings: inout Findings, at moment: Moment) {
    let replaced = Set(findings.leases.compactMap(\.record.predecessor))
    guard !replaced.isEmpty else { return }
    let isReplaced = findings.leases.map { $0.state == .held && replaced.contains($0.record.id.low) }
    for (found, isReplaced) in zip(findings.leases, isReplaced) where isReplaced {
      findings.ends.append(end(found.record, .transferred, found.body, found.cell, at: moment))
    }
    findings.leases = zip(findings.leases, isReplaced).filter { !$1 }.map(\.0)
  }

  private func discardDamaged(_ cell: Int) {
    recovery.damagedRecords += 1
    storage.commit(.free, at: cell)
  }

  private func adoptLocks(_ findings: inout Findings, at moment: Moment) {
    var values: [Int32: [UInt16]?] = [:]
    for (cell, record, body) in findings.locks {
      // The name is read last: the texts of a lock that does not come back are freed.
      guard record.isNative ? isThere(record) : isInUse(record, &values),
        let bytes = text(
          record.keyLength, body, LockRecord.inlineWord, LockRecord.inlineBytes, record.textCell, &findings),
        let key = String(validating: bytes, as: UTF8.self).map(LockKey.init(trusted:)),
        let lock = record.isNative
          ? adoptNative(record, key, cell) : adoptNamed(record, key, cell, values: values[record.set] ?? nil)
      else {
        storage.commit(.free, at: cell)
        continue
      }
      locksByCell[cell] = lock
      storage.commit(CommitWord(.live, .lock, check: body.check), at: cell)
      if let values = values[record.set] ?? nil { lookForDamage(of: lock, record, values, at: moment) }
    }
  }

  /// Whether the set of a native lock is there, with as many semaphores as the record says.
  private func isThere(_ record: LockRecord) -> Bool {
    switch kernel.read(record.set) {
    case .gone: false
    case .unreadable: true
    case .values(let values): values.count == record.semaphoreCount
    }
  }

  /// Whether the place of an own lock is in use: not when it never got that far, or its set is gone.
  private func isInUse(_ record: LockRecord, _ values: inout [Int32: [UInt16]?]) -> Bool {
    if values[record.set] == nil { values[record.set] = .some(kernel.bankValues(record.set)) }
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

  private func adoptLeases(_ findings: inout Findings, at moment: Moment) {
    for (cell, found, state, body) in findings.leases {
      guard leasesByID[found.id] == nil else { discardDamaged(cell); continue }
      // The clock may begin anywhere for this daemon, and nothing that happened is still to come.
      var record = found
      if state == .cooling, record.endedAt.magnitude > UInt64(clamping: moment.monotonic.nanoseconds) {
        record.endedAt = record.endedAt.signum() * moment.monotonic.nanoseconds
      }
      guard locksByCell.indices.contains(record.lockCell), let lock = locksByCell[record.lockCell],
        record.units <= lock.unitsMax,
        let bytes = text(
          record.textLength, body, LeaseRecord.inlineWord, LeaseRecord.inlineBytes, record.textCell, &findings)
      else {
        // Its lock's set is gone: the lease is over, and its holder is told so.
        recovery.leasesLost += 1
        findings.ends.append(end(record, .setRemoved, body, cell, at: moment))
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

  private func adoptEnds(_ findings: Findings, at moment: Moment) {
    for (cell, found, reason) in findings.ends.sorted(by: { $0.record.endedAt < $1.record.endedAt }) {
      if tombstones.isFull, let oldest = tombstones.popOldest() { storage.commit(.free, at: oldest.cell) }
      var record = found
      record.endedAt = min(Int64(clamping: found.endedAt.magnitude), moment.monotonic.nanoseconds)
      tombstones.append(Tombstone(record, of: lockOnceUnder(record)?.key, cell: cell, reason: reason))
    }
  }

  /// The lock that a lease stood on which is over; `nil` where its record is another's by now.
  private func lockOnceUnder(_ record: LeaseRecord) -> Lock? {
    guard locksByCell.indices.contains(record.lockCell), let lock = locksByCell[record.lockCell],
      let known = LockRecord(storage.body(at: record.lockCell)), known.firstFence > 0,
      record.fence >= known.firstFence
    else { return nil }
    return lock
  }

  /// Gives back what a dead daemon had taken for nobody, place by place.
  private func settle(_ bank: Bank, at moment: Moment) {
    guard let values = kernel.bankValues(bank.id.set) else { return bankVanished(bank, at: moment) }
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
  private func settle(_ set: NativeSet, at moment: Moment) {
    switch read(set) {
    case .gone: nativeSetVanished(set, at: moment)
    case .unreadable: break
    case .values(let values):
      for lock in set.locks.values { settle(lock, values) }
    }
  }

  /// The same for one lock of native programs, where nobody but this service counts what is out.
  func settle(_ lock: Lock, _ values: [UInt16]) {
    for counter in lock.place.dialect.counters where !counter.isShared {
      let natives = lock.natives(in: counter, value: Int(values[counter.semaphore]))
      _ = giveBackExcess(natives, lock.place.dialect, lock.set.set, of: lock)
    }
  }

  /// Gives back what the kernel counts as out beyond what the records say; false when it is not covered.
  private func giveBackExcess(_ excess: Int, _ dialect: any LockDialect, _ set: Int32, of lock: Lock?) -> Bool {
    guard excess != 0 else { return true }
    guard excess > 0 else { return false }
    let outcome = giveBack(dialect.giveBack(Share(.exclusive, units: excess)), to: set, of: lock)
    guard outcome == .done || outcome.mayPass else { return false }
    recovery.unitsGivenBack += excess
    return true
  }

  private func removeStrayBanks() {
    for id in kernel.banks() where banks[id.set] == nil {
      kernel.removeBank(id.set)
      recovery.setsRemoved += 1
    }
  }

  private func freeUnused(_ highWater: Int, _ findings: Findings) {
    for cell in 0..<highWater {
      let word = storage.commitWord(at: cell)
      if word.kind == .text, word != .free, !findings.usedText.contains(cell) { storage.commit(.free, at: cell) }
    }
    cells.rebuild(highWater: highWater) { storage.commitWord(at: $0) == .free }
  }

  /// The text of a record, from the record itself or from its chain; `nil` when the chain is broken.
  func text(
    _ length: Int, _ body: CellBody, _ word: Int, _ inlineBytes: Int, _ first: UInt32, _ findings: inout Findings
  ) -> [UInt8]? {
    if first == TextRecord.none { return length <= inlineBytes ? body.take(length, from: word) : nil }
    // A key keeps its first bytes in its own record, a lease's texts move out whole.
    var bytes = word == LockRecord.inlineWord ? body.take(min(length, inlineBytes), from: word) : []
    var cell = first
    var chain: [Int] = []
    while cell != TextRecord.none {
      // A text belongs to one record, and whoever comes second has lost its own.
      guard Int(cell) < locksByCell.count, chain.count < 8, !chain.contains(Int(cell)),
        !findings.usedText.contains(Int(cell))
      else { return nil }
      let commit = storage.commitWord(at: Int(cell))
      let piece = storage.body(at: Int(cell))
      guard commit.kind == .text, commit.state == .live, commit.check == piece.check,
        let count = piece.bits(2, from: 32, count: 32).within(1...TextRecord.bytes)
      else { return nil }
      bytes += piece.take(count, from: TextRecord.firstWord)
      chain.append(Int(cell))
      cell = UInt32(truncatingIfNeeded: piece.words[2])
    }
    findings.usedText.formUnion(chain)
    return bytes.count == length ? bytes : nil
  }
}
