// The crash order: every mark of a record and every move of units, and nothing else. A daemon may die between any two.
//
//   what         step                                             a crash right after it
//   grant        1. the record is written: `draft`                nothing happened
//                2. one semop: `take`                             the kernel counts n units too many, which go back
//                3. the record is marked as held: `hold`          the lease stands, a retry finds it
//   end          1. the record is marked as ended: `end`          as after step 2 of a grant
//                2. one semop: `giveBack`                         done
//   conversion   1. the other form is written, marked: `draftForm`   the old form counts
//                2. one semop: `take`, `giveDown`                 the kernel's count tells which form counts
//                3. the old form is freed, the new held: `replace`   a form without another one counts
//   transfer     1. the successor is written and held: `succeed`  the new id is held: recovery ends the old one
//                2. the old record is marked as ended: `end`      the new id is held
//   several      1. drafts  2. `take` set by set  3. `hold`, the parts first, the whole last: parts without a whole
//                belong to nobody. End: the whole is marked as ended, then each part is freed and given back
//   not counted  2. `take` with SEM_UNDO, 2a. `arm`, 2b. one semop that drops the undo: `makePermanent`, then 3 (sets
//                of other programs, raw operations): between 2a and 3 nobody can know, the lease is a suspect
//   shared count 1a. `arm` with what the kernel said, then 2 and 3 (PHP, Apache): recovery decides by those values
//   end of both  1. `beginEnd`  2. `giveBack`  3. `end`
//
// Held is stored after the take and ended before the give-back: so at every instant the kernel's count of units out is
// at least what the records say, and the difference belongs to no holder that was told so. The compiler sees to it:
// each step wants the proof of the one before, which only these two files can make, and which is gone once it was used.

// MARK: Proofs

/// The records of a lease are written and not marked as held: one, or one for each of its locks.
struct Draft: ~Copyable {
  fileprivate struct Entry {
    let lease: Lease
    let check: UInt32
  }

  fileprivate let first: Entry
  fileprivate private(set) var others: [Entry] = []
  /// True when it names the lease that it goes on for.
  fileprivate let isSuccessor: Bool
  private var isSpent = false

  fileprivate init(_ lease: Lease, check: UInt32, isSuccessor: Bool) {
    (first, self.isSuccessor) = (Entry(lease: lease, check: check), isSuccessor)
  }

  var lease: Lease { first.lease }
  /// The lease, or a part of it on another lock.
  func member(_ index: Int) -> Lease { self[index].lease }
  fileprivate subscript(index: Int) -> Entry { index == 0 ? first : others[index - 1] }
  func marks(_ indices: [Int]) -> Marks { Marks(records: indices.map { (self[$0].lease.cell, self[$0].check) }) }
  mutating func add(_ part: consuming Draft) {
    others.append(part.first)
    part.spend()
  }
  fileprivate consuming func spend() { isSpent = true }
  deinit { assert(isSpent, "a record was written and neither marked as held nor freed") }
}

/// The records of drafts, to be marked before their units are taken.
struct Marks {
  fileprivate let records: [(cell: Int, check: UInt32)]
}

/// Units of several locks were taken, set by set, for records that are not all marked as held yet.
struct TakenSets: ~Copyable {
  /// Counts what was taken in one more set.
  mutating func add(_ taken: consuming Taken) { taken.recorded() }

  /// All of it went back.
  consuming func wentBack() { discard self }

  fileprivate consuming func spend() { discard self }
  deinit { assertionFailure("units of several locks were taken and neither recorded nor given back") }
}

/// A record is marked as arming: units that nothing counts were taken with SEM_UNDO for it.
struct Armed: ~Copyable {
  let draft: Draft
}

/// A record is marked as ended, or freed: its units may go back once.
struct Ended: ~Copyable {
  fileprivate init() {}
  fileprivate consuming func spend() { discard self }
  deinit { assertionFailure("a lease ended and nothing was given back") }

  /// Gives nothing back: there is nothing to give, or it is not the lease's any more.
  consuming func forfeit() { discard self }
}

/// A record says that its units are being given back.
struct Ending: ~Copyable {
  let cell: Int
  fileprivate init(_ cell: Int) { self.cell = cell }
  fileprivate consuming func spend() { discard self }
  deinit { assertionFailure("an end was begun and not finished") }
}

/// The record of a lease that is over and whose units could not go back: it says that this is under way until they do.
struct EndMark {
  let cell: Int
  let reason: EndReason
  let share: Share
  let isCapped: Bool
  /// The time of the end; negative where an operator ended it.
  let endedAt: Int64
}

/// The other form of a record is written and marked as converting.
struct Form: ~Copyable {
  let cell: Int
  let mode: LockMode
  let units: Int
  fileprivate let check: UInt32

  fileprivate consuming func spend() { discard self }
  deinit { assertionFailure("a form was written and neither replaced the old one nor was freed") }
}

// MARK: Records

extension Journal {
  /// Writes the record of a lease to be, with its text in it or in records of its own.
  mutating func draft(
    _ record: LeaseRecord, of key: LockKey, text: [UInt8], at cell: Int, makingRoom: () -> Int?
  ) throws(LeaseholdError) -> Draft {
    guard text.count > record.roomForText else { return draft(record, of: key, inline: text, at: cell) }
    var record = record
    record.textCell = try writeText(text, of: cell, makingRoom: makingRoom)
    return draft(record, of: key, inline: [], at: cell)
  }

  /// The same where the record has room for the text.
  ///
  /// The only place that reads the whole of a record to be, which is large to copy.
  @inline(never)
  func draft(_ record: LeaseRecord, of key: LockKey, inline text: [UInt8], at cell: Int) -> Draft {
    var body = record.body
    if !text.isEmpty { body.put(text, from: LeaseRecord.inlineWord) }
    storage.write(body, at: cell)
    return Draft(
      Lease(record, cell: cell, key: key), check: body.check, isSuccessor: record.predecessor != nil)
  }

  /// Forgets records whose units were not taken, or went back.
  mutating func discard(_ draft: consuming Draft) {
    for index in 0...draft.others.count where storage.commitWord(at: draft[index].lease.cell) != .free {
      storage.commit(.free, at: draft[index].lease.cell)
    }
    for index in 0...draft.others.count {
      freeText(draft[index].lease.textCell)
      pool.give(draft[index].lease.cell)
    }
    draft.spend()
  }

  /// Marks a record as held, once its units are taken.
  mutating func hold(_ draft: consuming Draft, _ taken: consuming Taken) {
    markHeld(draft)
    draft.spend()
    taken.recorded()
  }

  @inline(__always)
  private func markHeld(_ draft: borrowing Draft) {
    let (lease, check) = (draft.first.lease, draft.first.check)
    precondition(lease.fence <= lastFence, "what is held has a fence that was made")
    storage.setHeader(.lastFence, UInt64(lease.fence))
    storage.commit(CommitWord(.live, .lease, check: check), at: lease.cell)
  }

  /// Marks the record of a lease that goes on for another one as held: its units are out already.
  mutating func succeed(by draft: consuming Draft) {
    precondition(draft.isSuccessor, "a successor names its predecessor")
    markHeld(draft)
    draft.spend()
  }

  // MARK: Where the values alone do not tell

  /// Marks a record whose units, which nothing counts, were taken with SEM_UNDO.
  func arm(_ draft: consuming Draft, _ taken: consuming Taken) -> Armed {
    storage.commit(CommitWord(.arming, .lease, check: draft.first.check), at: draft.lease.cell)
    taken.recorded()
    return Armed(draft: draft)
  }

  /// The same for one of several.
  func arm(_ draft: borrowing Draft, _ index: Int, _ taken: borrowing TakenSets) {
    let entry = draft[index]
    storage.commit(CommitWord(.arming, .lease, check: entry.check), at: entry.lease.cell)
  }

  /// Marks records whose units are about to be taken where native programs count, too.
  func arm(_ marks: Marks, _ witness: CountWitness) {
    for (cell, check) in marks.records {
      storage.commit(CommitWord(.arming, .lease, check: check), at: cell)
      setEnd(Int64(bitPattern: witness.word(isBreaking: false)), of: cell)
    }
  }

  /// Takes the marks of records back: nothing was taken, or it was given back.
  func unmark(_ marks: Marks) {
    for (cell, _) in marks.records where storage.commitWord(at: cell) != .free { storage.commit(.free, at: cell) }
  }

  /// Marks a record whose units are about to be given back, with what the kernel said where native programs count, too.
  ///
  /// - Parameter witness: The word with the values; 0 where they cannot be had, `nil` where nothing is shared.
  func beginEnd(_ cell: Int, _ reason: EndReason, witness: UInt64?) -> Ending {
    let check = storage.commitWord(at: cell).check
    if let witness { setEnd(Int64(bitPattern: witness), of: cell) }
    storage.commit(CommitWord(.disarming, .lease, check: check, reason: reason), at: cell)
    return Ending(cell)
  }

  /// The units of a record went back: it is marked as ended next.
  func gaveBack(_ ending: consuming Ending) { ending.spend() }

  /// Leaves a record as giving back, as the kernel could not take the units now.
  func keep(_ ending: consuming Ending, _ mark: EndMark) {
    precondition(ending.cell == mark.cell, "an end's own record is marked")
    ending.spend()
  }

  /// Returns true when a record still says that its units are being given back.
  func counts(_ mark: EndMark) -> Bool {
    let word = storage.commitWord(at: mark.cell)
    return word.state == .disarming && word.reason == mark.reason
  }

  /// Marks a record as ended whose units went back at last.
  func end(_ mark: EndMark) { end(mark.cell, mark.reason, storing: mark.endedAt).forfeit() }

  /// Frees the record of a part whose units went back.
  mutating func free(_ ending: consuming Ending) {
    free(ending.cell)
    ending.spend()
  }

  /// Frees the record of a draft whose units were made permanent and went back.
  func unmark(_ ending: consuming Ending) {
    storage.commit(.free, at: ending.cell)
    ending.spend()
  }

  // MARK: Several locks

  /// Marks the record of a part as held: it belongs to nobody until the whole is.
  func hold(_ draft: borrowing Draft, part index: Int, _ taken: borrowing TakenSets) {
    precondition(index > 0, "the whole is marked last")
    let entry = draft[index]
    storage.commit(CommitWord(.live, .lease, check: entry.check), at: entry.lease.cell)
  }

  /// Marks the record of the whole as held, after all of its parts.
  func hold(_ draft: consuming Draft, _ taken: consuming TakenSets) {
    markHeld(draft)
    draft.spend()
    taken.spend()
  }

  // MARK: Ends

  /// Marks a record as ended.
  ///
  /// - Parameter end: What to store as the time of its end; `nil` where that is there already.
  @inline(__always)
  func end(_ cell: Int, _ reason: EndReason, storing end: Int64?) -> Ended {
    if let end { setEnd(end, of: cell) }
    let check = storage.commitWord(at: cell).check
    storage.commit(CommitWord(.ended, .lease, check: check, reason: reason), at: cell)
    return Ended()
  }

  /// Frees the record of a part of a lease that is marked as ended.
  mutating func endPart(_ cell: Int) -> Ended {
    free(cell)
    return Ended()
  }

  /// Marks a lease as over for its holder while its units stay out.
  ///
  /// - Parameter reason: Why it is over, where they stay out for as long as it was to hold them at least; `nil` where
  ///   they cool down.
  func cool(_ cell: Int, until due: Int64, end: Int64, kept reason: EndReason?) {
    setDeadline(due, of: cell)
    setEnd(end, of: cell)
    let check = storage.commitWord(at: cell).check
    let word = reason.map { CommitWord(.kept, .lease, check: check, reason: $0) }
    storage.commit(word ?? CommitWord(.cooling, .lease, check: check), at: cell)
  }

  // MARK: Conversions

  /// Writes the other form of a record and marks it as converting.
  func draftForm(_ old: CellBody, at cell: Int, to mode: LockMode, units: Int) -> Form {
    let body = old.converted(to: mode, units: units)
    storage.write(body, at: cell)
    let check = body.check
    storage.commit(CommitWord(.converting, .lease, check: check), at: cell)
    return Form(cell: cell, mode: mode, units: units, check: check)
  }

  /// Frees the other form: its units were not moved.
  mutating func discard(_ form: consuming Form) {
    free(form.cell)
    form.spend()
  }

  /// Lets the other form count from here on; answers its record.
  mutating func replace(_ cell: Int, by form: consuming Form, _ taken: consuming Taken) -> Int {
    let new = form.cell
    precondition(new != cell, "both forms have records of their own")
    storage.commit(.free, at: cell)
    storage.commit(CommitWord(.live, .lease, check: form.check), at: new)
    pool.give(cell)
    form.spend()
    taken.recorded()
    return new
  }

  // MARK: After a crash

  /// Marks a record that was found as ended now.
  func end(_ found: ScannedLease, _ reason: EndReason, at moment: Moment) -> ScannedLease {
    var ended = found
    ended.record.endedAt = moment.monotonic.nanoseconds
    ended.word = CommitWord(.ended, .lease, check: found.body.check, reason: reason)
    setEnd(ended.record.endedAt, of: found.cell)
    storage.commit(ended.word, at: found.cell)
    return ended
  }

  /// Marks a record as a suspect: nobody can know where its units are.
  func suspect(_ found: ScannedLease) {
    storage.commit(CommitWord(.suspect, .lease, check: found.word.check), at: found.cell)
  }

  /// Lets a form that was found count: the kernel says so, or there is no other one.
  mutating func resolve(_ form: ScannedLease, replacing old: Int?) {
    if let old { free(old) }
    storage.commit(CommitWord(.live, .lease, check: form.body.check), at: form.cell)
  }
}
