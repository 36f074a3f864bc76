// The crash order of locks, and of their limits: what says that it changes stands before what changes.
//
//   what         step                                             a crash right after it
//   down         1. the limit is stored: `draftTerms`, `setTerms` recovery withholds what is free
//                2. one semop: `withhold`                         done; what is in use is owed
//   a release    1. the record is marked as ended: `end`          "out" is n more than records and withheld units:
//                2. one semop, less what is owed                  recovery withholds what is owed, the rest goes back
//   up           1. the limit is stored                           recovery goes on with step 2
//                2. one semop: `raise`                            the set tells: recovery goes on with step 3
//                3. where the set grew, the lock's record: `setMade`, two stores; between them its check is wrong, and
//                   the record of the terms says what it must be but for the capacity
//
// So the kernel's count of units out is at least what the records say, here as everywhere; of the difference as much is
// withheld as the limit says, and a release that knows no terms gives it back.

extension Journal {
  /// Writes and marks the terms of a lock, which count from then on in place of those that it had.
  mutating func draftTerms(
    limit: Int, isPinned: Bool, _ slots: SlotTable, of lock: Lock, makingRoom: () -> Int?
  ) throws(LeaseholdError) -> Terms {
    let text = Array(slots.text.utf8)
    var record = TermsRecord(
      limit: limit, isPinned: isPinned, lockCell: lock.cell, lockCheck: storage.body(at: lock.cell).lockCheck,
      generation: (lock.terms?.record.generation ?? 0) &+ 1, current: slots.current, textLength: text.count)
    record.textCell = try writeText(text, makingRoom: makingRoom)
    let cell: Int
    do {
      cell = try reserve(makingRoom: makingRoom)
    } catch {
      freeText(record.textCell)
      throw error
    }
    let body = record.body
    storage.write(body, at: cell)
    storage.commit(CommitWord(.live, .text, check: body.check), at: cell)
    return Terms(cell: cell, record, slots)
  }

  /// Frees the terms of a lock that has others, or none any more.
  mutating func free(_ terms: Terms) {
    free(terms.cell)
    freeText(terms.record.textCell)
  }

  /// Stores other terms, in one store.
  func setTerms(limit: Int, isPinned: Bool, at cell: Int) {
    storage.store(TermsRecord.word(limit: limit, isPinned: isPinned), .first, at: cell)
  }

  /// Stores how many units the set of a lock has.
  func setMade(_ units: Int, of cell: Int) {
    var body = storage.body(at: cell)
    body.words[3] = body.words[3] & ~0xffff_ffff | UInt64(UInt32(units))
    storage.store(body.words[3], .capacity, at: cell)
    mark(lock: cell, .live, check: body.check)
  }
}

extension LockTable {
  /// Withholds free units of a lock, if so many are free.
  func withhold(_ units: Int, of lock: Lock) -> KernelOutcome {
    kernel.operate(lock.set.set, lock.place.take(Share(.exclusive, units: units)))
  }

  /// Lets units go that were withheld, and makes more.
  func raise(_ lock: Lock, making units: Int, lettingGo withheld: Int) -> KernelOutcome {
    kernel.operate(
      lock.set.set, NamedDialect(place: lock.place.semaphore).raise(making: units, lettingGo: withheld))
  }

  /// The steps that give a share back; what is owed stays withheld.
  @inline(__always)
  func returning(_ share: Share, of lock: Lock) -> OpList {
    lock.terms == nil ? lock.place.giveBack(share) : paying(share, of: lock)
  }

  @inline(never)
  private func paying(_ share: Share, of lock: Lock) -> OpList {
    let kept = min(lock.owed, share.units)
    lock.terms?.withheld += kept
    return kept == share.units ? OpList() : lock.place.giveBack(Share(share.mode, units: share.units - kept))
  }
}

// MARK: Locks

extension Journal {
  /// Writes and marks the record of a lock with its name; no table knows the lock yet.
  ///
  /// - Throws: `ledger-full`, `kernel-limit`, `permission-denied`.
  mutating func draftLock(
    _ key: LockKey, _ place: Place, _ capacity: Int?, _ state: CommitWord.State, at moment: Moment,
    makingRoom: () -> Int?
  ) throws(LeaseholdError) -> Lock {
    let bytes = Array(key.text.utf8)
    let rest = Array(bytes.dropFirst(LockRecord.inlineBytes))
    let cell = try reserve(makingRoom: makingRoom)
    var record = LockRecord(
      lastUse: moment.monotonic.nanoseconds, set: place.set.set, sysvKey: place.set.key, place: place.semaphore,
      layout: place.layout, capacity: capacity, semaphoreCount: place.native?.count ?? NamedDialect.semaphoresPerBank,
      firstFence: lastFence &+ 1, keyLength: bytes.count, textCell: TextRecord.none)
    if !rest.isEmpty { record.textCell = try writeText(rest, of: cell, makingRoom: makingRoom) }
    var body = record.body
    body.put(bytes.prefix(LockRecord.inlineBytes), from: LockRecord.inlineWord)
    storage.write(body, at: cell)
    mark(lock: cell, state, check: body.check)
    return Lock(
      key: key, cell: cell, place: place, capacity: record.capacity, textCell: record.textCell, lastUse: record.lastUse)
  }

  /// Marks a lock's record: its place is being put into use, is in use, or is being taken out of use.
  func mark(lock cell: Int, _ state: CommitWord.State, check: UInt32? = nil) {
    let check = check ?? storage.commitWord(at: cell).check
    storage.commit(CommitWord(state, .lock, check: check), at: cell)
  }

  /// Frees the record of a lock, and its text.
  mutating func free(lock cell: Int, text: UInt32) {
    storage.commit(.free, at: cell)
    freeText(text)
    pool.give(cell)
  }
}
