// What is found at the start is not believed: every word is in its range, or something that is known takes its place.

/// A lease's record as it was found.
struct ScannedLease {
  let cell: Int
  var record: LeaseRecord
  let body: CellBody
  var word: CommitWord

  /// The state in which it stands on its lock, if it does.
  var state: Lease.State {
    switch word.state {
    case .cooling: .cooling(record.endedAt < 0 ? .broken : .expired, isKept: false)
    case .kept: .cooling(word.reason ?? .released, isKept: true)
    case .suspect, .arming, .disarming: .suspect
    default: .held
    }
  }
}

/// The result of the scan, before anything is decided.
struct ScanResult {
  var leases: [ScannedLease] = []
  var parts: [ScannedLease] = []
  var conversions: [ScannedLease] = []
  /// Records that say that units were being taken or given back.
  var underway: [ScannedLease] = []
  var ends: [ScannedLease] = []
  var locks: [(cell: Int, record: LockRecord, body: CellBody)] = []
  /// The terms of locks, by their locks' records.
  var terms: [Int: (cell: Int, record: TermsRecord)] = [:]
  /// The texts that belong to a record; the others are freed.
  var usedText: Set<Int> = []
  /// One past the highest record in use.
  var highWater = 0
  /// Records, and words of the header, that were not what they must be.
  var damagedRecords = 0

  /// Of two records of a lock's terms the later one counts: its daemon died before it freed the other.
  mutating func note(_ record: TermsRecord, at cell: Int) {
    if let known = terms[record.lockCell], known.record.generation > record.generation { return }
    terms[record.lockCell] = (cell, record)
  }
}

extension Journal {
  /// Looks at every record; frees those that do not pass their check.
  mutating func scan(at moment: Moment) -> ScanResult {
    var result = ScanResult()
    result.highWater = usedRecords(&result)
    pool.rebuild(highWater: result.highWater) { _ in false }
    foundFence(believed(.lastFence, 0...Limits.foundFence, &result) ?? 0)
    var torn: [(cell: Int, body: CellBody)] = []
    for cell in 0..<result.highWater {
      let word = storage.commitWord(at: cell)
      if word == .free { continue }
      let body = storage.body(at: cell)
      guard let state = word.state, let kind = word.kind, word.check == body.check else {
        if word.kind == .lock, word.state == .live { torn.append((cell, body)) } else { discardDamaged(cell, &result) }
        continue
      }
      switch (kind, state) {
      case (.lease, .live), (.lease, .cooling), (.lease, .kept), (.lease, .ended), (.lease, .arming),
        (.lease, .disarming), (.lease, .suspect), (.lease, .converting):
        guard var record = LeaseRecord(body) else { discardDamaged(cell, &result); continue }
        if record.fence <= Limits.foundFence { foundFence(record.fence) }
        bringToThisClock(&record, state, cell, at: moment)
        let found = ScannedLease(cell: cell, record: record, body: body, word: word)
        switch state {
        case .converting: result.conversions.append(found)
        case .live where record[.part]: result.parts.append(found)
        case .ended: result.ends.append(found)
        case .arming, .disarming: result.underway.append(found)
        default: result.leases.append(found)
        }
      case (.lock, .live), (.lock, .preparing), (.lock, .retiring):
        guard var record = LockRecord(body) else { discardDamaged(cell, &result); continue }
        record.lastUse = min(record.lastUse, moment.monotonic.nanoseconds)
        result.locks.append((cell, record, body))
      case (.text, .live): if let terms = TermsRecord(body) { result.note(terms, at: cell) }
      default: discardDamaged(cell, &result)
      }
    }
    for (cell, body) in torn { mend(cell, body, &result, at: moment) }
    return result
  }

  /// Takes in a lock's record whose check is wrong because its daemon died when it stored what the set has, and frees
  /// one that another program scribbled over.
  private mutating func mend(_ cell: Int, _ body: CellBody, _ result: inout ScanResult, at moment: Moment) {
    guard result.terms[cell]?.record.lockCheck == body.lockCheck, var record = LockRecord(body) else {
      return discardDamaged(cell, &result)
    }
    mark(lock: cell, .live, check: body.check)
    record.lastUse = min(record.lastUse, moment.monotonic.nanoseconds)
    result.locks.append((cell, record, body))
  }

  /// Frees a record that is not what it must be.
  mutating func discardDamaged(_ cell: Int, _ result: inout ScanResult) {
    result.damagedRecords += 1
    free(cell)
  }

  /// Frees the texts that belong to no record, and knows which records are free from here on.
  mutating func rebuild(_ result: ScanResult, at moment: Moment) {
    for cell in 0..<result.highWater {
      let word = storage.commitWord(at: cell)
      if word.kind == .text, word != .free, !result.usedText.contains(cell) { storage.commit(.free, at: cell) }
    }
    pool.rebuild(highWater: result.highWater) { storage.commitWord(at: $0) == .free }
    storage.setHeader(.highWater, UInt64(result.highWater))
    storage.setHeader(.lastFence, UInt64(lastFence))
    // From here on deadlines are of this clock; until here a repeated recovery must see that some may not be.
    lastSeen = moment.monotonic.nanoseconds
  }

  // MARK: The header

  /// A word of the header, where it is in its range; else it is counted as damaged.
  private func believed<Number: FixedWidthInteger>(
    _ word: HeaderWord, _ range: ClosedRange<Number>, _ result: inout ScanResult
  ) -> Number? {
    let number = storage.header(word).within(range)
    if number == nil { result.damagedRecords += 1 }
    return number
  }

  /// Records above the mark that are looked at before it is believed.
  private static let recordsPerLook = 16_384

  /// One past the highest record in use.
  ///
  /// The header's mark is a hint: whatever it says, the scan goes on until a whole stretch of records is free.
  private func usedRecords(_ result: inout ScanResult) -> Int {
    let capacity = storage.capacity
    var mark = believed(.highWater, 0...capacity, &result) ?? 0
    // There are not so many records where there is no memory for them.
    if (try? storage.reserve(mark)) == nil { mark = 0 }
    var highWater = mark
    var looked = mark
    while looked < capacity, let last = storage.lastUsed(in: looked..<min(capacity, looked + Self.recordsPerLook)) {
      highWater = last + 1
      looked = min(capacity, looked + Self.recordsPerLook)
    }
    if highWater > mark { result.damagedRecords += 1 }
    return highWater
  }

  // MARK: Clocks

  /// Moves a record's instants to this clock, and those that cannot be before now to now.
  private func bringToThisClock(
    _ record: inout LeaseRecord, _ state: CommitWord.State, _ cell: Int, at moment: Moment
  ) {
    let now = moment.monotonic.nanoseconds
    record.grantedAt = min(record.grantedAt, moment.monotonic)
    guard state != .ended else {
      record.endedAt = min(Int64(clamping: record.endedAt.magnitude), now)
      return
    }
    let (deadline, graceEnd) = (rebase(record.deadline, at: moment), rebase(record.endedAt, at: moment))
    let isMoved = deadline != record.deadline
    if graceEnd != record.endedAt { setEnd(graceEnd, of: cell) }
    (record.deadline, record.endedAt) = (deadline, graceEnd)
    if isMoved { setDeadline(deadline, isAttached: record.isAttached, of: cell) }
  }

  /// A deadline on this clock, when its zero moved since the last daemon saw it: a time namespace may begin anywhere.
  ///
  /// A recovery that is cut short leaves some deadlines moved and others not, so what was moved must be told from what
  /// was not: only a deadline that crosses the line is moved. A lease that has more time left than the clock went back
  /// keeps its deadline and lasts that much longer, which is safe; shorter would not be.
  private func rebase(_ deadline: Int64, at moment: Moment) -> Int64 {
    let now = moment.monotonic.nanoseconds
    guard deadline > 0, let lastSeen = storage.header(.lastSeen).within(0...Limits.instant), now < lastSeen else {
      return deadline
    }
    let line = lastSeen - Self.longestLag
    let moved = max(1, deadline - (lastSeen - now))
    return deadline >= line && moved < line ? moved : deadline
  }

  /// The time that an end may be late and still count as that of a lease of the last daemon: 60 s, in nanoseconds.
  private static let longestLag: Int64 = 60_000_000_000

  // MARK: Texts

  /// The text of a lease's record; `nil` when its chain is broken.
  func text(of found: ScannedLease, _ result: inout ScanResult) -> [UInt8]? {
    text(
      found.record.textLength, found.body, LeaseRecord.inlineWord, LeaseRecord.inlineBytes, found.record.textCell,
      &result)
  }

  /// The names of a lock's slots, none where it has none; `nil` when their chain is broken.
  func slots(of terms: TermsRecord, _ result: inout ScanResult) -> SlotTable? {
    if terms.textLength == 0, terms.textCell == TextRecord.none { return SlotTable() }
    let used = result.usedText
    let names = text(terms.textLength, CellBody(), LeaseRecord.inlineWord, 0, terms.textCell, &result)
    let slots = names.flatMap { String(validating: $0, as: UTF8.self) }.flatMap {
      SlotTable(text: $0, current: terms.current)
    }
    if slots == nil { result.usedText = used }
    return slots
  }

  /// The name in a lock's record; `nil` when its chain is broken.
  func name(of record: LockRecord, _ body: CellBody, _ result: inout ScanResult) -> LockKey? {
    text(record.keyLength, body, LockRecord.inlineWord, LockRecord.inlineBytes, record.textCell, &result)
      .flatMap { String(validating: $0, as: UTF8.self) }.map(LockKey.init(trusted:))
  }

  /// The text of a record, from the record itself or from its chain.
  private func text(
    _ length: Int, _ body: CellBody, _ word: Int, _ inlineBytes: Int, _ first: UInt32, _ result: inout ScanResult
  ) -> [UInt8]? {
    if first == TextRecord.none { return length <= inlineBytes ? body.take(length, from: word) : nil }
    // A key keeps its first bytes in its own record, a lease's texts move out whole.
    var bytes = word == LockRecord.inlineWord ? body.take(min(length, inlineBytes), from: word) : []
    var cell = first
    var chain: [Int] = []
    while cell != TextRecord.none {
      // A text belongs to one record, and a record that comes second has lost its own.
      guard cell < result.highWater, chain.count < 8, !chain.contains(Int(cell)),
        !result.usedText.contains(Int(cell))
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
    result.usedText.formUnion(chain)
    return bytes.count == length ? bytes : nil
  }
}
