// What is found at the start is not believed: every word is in its range, or something that is known takes its place.

extension Ledger {
  /// A word of the header, where it is in its range; else it is counted as damaged.
  func believed<Number: FixedWidthInteger>(_ word: HeaderWord, _ range: ClosedRange<Number>) -> Number? {
    let number = storage.header(word).within(range)
    if number == nil { recovery.damagedRecords += 1 }
    return number
  }

  /// Records above the mark that are looked at before it is believed.
  private static let recordsPerLook = 16_384

  /// One past the highest record in use.
  ///
  /// The header's mark is a hint: whatever it says, the scan goes on until a whole stretch of records is free.
  func usedRecords() -> Int {
    let capacity = storage.capacity
    var mark = believed(.highWater, 0...capacity) ?? 0
    // Without memory for so many there are not so many.
    if (try? storage.reserve(mark)) == nil { mark = 0 }
    var highWater = mark
    var looked = mark
    while looked < capacity, let last = storage.lastUsed(in: looked..<min(capacity, looked + Self.recordsPerLook)) {
      highWater = last + 1
      looked = min(capacity, looked + Self.recordsPerLook)
    }
    if highWater > mark { recovery.damagedRecords += 1 }
    return highWater
  }

  /// More units on leases than a lock has: some record is not what it was, and nothing is granted that could meet them.
  func distrustOverfullLocks(at moment: Moment) {
    for case let lock? in locksByCell where lock.place.isOwn && lock.unitsOut > lock.capacity ?? 0 {
      let capacity = lock.capacity ?? 0
      damage(
        lock, .uncounted, units: lock.unitsOut - capacity, "Leases have \(lock.unitsOut) units of its \(capacity)",
        at: moment)
    }
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

  /// Ends may be that late and still count as those of leases of the last daemon: 60 s, in nanoseconds.
  private static let longestLag: Int64 = 60_000_000_000

  /// Moves a record's instants to this clock, and those that cannot be before now to now.
  func bringToThisClock(
    _ record: inout LeaseRecord, _ state: CommitWord.State, _ cell: Int, at moment: Moment
  ) {
    let now = moment.monotonic.nanoseconds
    record.grantedAt = min(record.grantedAt, moment.monotonic)
    guard state != .ended else {
      record.endedAt = min(Int64(clamping: record.endedAt.magnitude), now)
      return
    }
    let (deadline, graceEnd) = (rebase(record.deadline, at: moment), rebase(record.endedAt, at: moment))
    if deadline != record.deadline { storage.store(UInt64(deadline), .first, at: cell) }
    if graceEnd != record.endedAt { storage.store(UInt64(graceEnd), .second, at: cell) }
    (record.deadline, record.endedAt) = (deadline, graceEnd)
  }
}
