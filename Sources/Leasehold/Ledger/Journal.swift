/// The records of leases and locks, which outlive the daemon.
///
/// A record that is used has one owner, and fences grow. What marks a record, and when, stands in `CrashOrder.swift`
/// alone; here is what has no part in that order: room, fences, times, texts.
struct Journal: ~Copyable {
  let storage: any LedgerStorage
  var pool: CellPool
  /// The last fence handed out.
  private(set) var lastFence: Int64 = 0

  /// The records of a segment; which of them are free is known after ``rebuild(_:at:)``.
  init(_ storage: any LedgerStorage) {
    self.storage = storage
    pool = CellPool(capacity: storage.capacity)
  }

  /// Makes the next fence: it grows with every grant, and across a lost ledger while the wall clock is not set back.
  mutating func nextFence(at moment: Moment) -> Int64 {
    let fence = max(lastFence + 1, min(moment.wallMicroseconds, Limits.foundFence))
    precondition(fence > lastFence, "a fence only grows")
    lastFence = fence
    return fence
  }

  /// Goes on behind a fence that was found.
  mutating func foundFence(_ fence: Int64) { lastFence = max(lastFence, fence) }

  // MARK: Room

  /// Takes a record with memory behind it.
  ///
  /// - Parameter makingRoom: Forgets an end when there is no other room; answers its record, `nil` for none.
  /// - Throws: `ledger-full` without a record, `kernel-limit` or `permission-denied` without memory for one.
  mutating func reserve(makingRoom: () -> Int?) throws(LeaseholdError) -> Int {
    let before = pool.highWater
    if let cell = pool.take() {
      if pool.highWater > before { try grow() }
      return cell
    }
    if let forgotten = makingRoom() { free(forgotten) }
    guard let cell = pool.take() else { throw Ledger.ledgerFull(pool.capacity) }
    return cell
  }

  private mutating func grow() throws(LeaseholdError) {
    do {
      try storage.reserve(pool.highWater)
    } catch {
      pool.shrink()
      throw Ledger.kernelRefused(error, doing: "grow the ledger")
    }
    storage.setHeader(.highWater, UInt64(pool.highWater))
  }

  /// Frees a record for any use.
  mutating func free(_ cell: Int) {
    storage.commit(.free, at: cell)
    pool.give(cell)
  }

  // MARK: Words that change in place

  /// Stores when a lease ends by itself, in nanoseconds; 0 for never.
  @inline(__always)
  func setDeadline(_ deadline: Int64, isAttached: Bool = false, of cell: Int) {
    storage.store(LeaseRecord.deadlineWord(deadline, isAttached: isAttached), .first, at: cell)
  }

  /// Stores the deadline of a lease that stands, and whether it was bound to a connection after its grant.
  @inline(__always)
  func setDeadline(of lease: Lease) {
    setDeadline(lease.deadline, isAttached: lease.isAttached, of: lease.cell)
  }

  /// Stores the end of a grace, or, negative, that an operator ends a lease; 0 for neither.
  @inline(__always)
  func setEnd(_ end: Int64, of cell: Int) { storage.store(UInt64(bitPattern: end), .second, at: cell) }

  /// Stores when a lock was used last.
  @inline(__always)
  func setLastUse(_ instant: Int64, of cell: Int) { storage.store(UInt64(instant), .first, at: cell) }

  /// Stores that another program wrote a lock's values.
  func setDamaged(_ cell: Int) {
    storage.store(storage.body(at: cell).words[1] | LockRecord.damagedBit, .second, at: cell)
  }

  /// The last reading of the clock, about once a second.
  var lastSeen: Int64 {
    get { storage.header(.lastSeen).clamped(to: 0...Limits.instant) }
    nonmutating set { storage.setHeader(.lastSeen, UInt64(clamping: newValue)) }
  }

  // MARK: Texts

  /// Writes a text that does not fit its record, which is given back where the text finds no room.
  mutating func writeText(
    _ bytes: [UInt8], of cell: Int, makingRoom: () -> Int?
  ) throws(LeaseholdError) -> UInt32 {
    do { return try writeText(bytes, makingRoom: makingRoom) } catch {
      pool.give(cell)
      throw error
    }
  }

  /// Writes a text in records of its own; answers the first of the chain.
  mutating func writeText(_ bytes: [UInt8], makingRoom: () -> Int?) throws(LeaseholdError) -> UInt32 {
    var next = TextRecord.none
    var starts = Array(stride(from: 0, to: bytes.count, by: TextRecord.bytes))
    while let start = starts.popLast() {
      let piece = bytes[start..<min(start + TextRecord.bytes, bytes.count)]
      let cell: Int
      do {
        cell = try reserve(makingRoom: makingRoom)
      } catch {
        freeText(next)
        throw error
      }
      var body = CellBody()
      body.words[2] = UInt64(next) | UInt64(piece.count) << 32
      body.put(piece, from: TextRecord.firstWord)
      storage.write(body, at: cell)
      storage.commit(CommitWord(.live, .text, check: body.check), at: cell)
      next = UInt32(truncatingIfNeeded: cell)
    }
    return next
  }

  /// Frees a chain of text records, as far as it is one.
  mutating func freeText(_ first: UInt32) {
    var cell = first
    while cell < pool.highWater {
      let word = storage.commitWord(at: Int(cell))
      let body = storage.body(at: Int(cell))
      guard word.kind == .text, word.check == body.check else { return }
      free(Int(cell))
      cell = UInt32(truncatingIfNeeded: body.words[2])
    }
  }

  // MARK: What is read back

  /// The record of a lease that stands, if no program scribbled over it.
  func body(of lease: Lease) -> CellBody? {
    let body = storage.body(at: lease.cell)
    guard body.check == storage.commitWord(at: lease.cell).check, let record = LeaseRecord(body),
      record.id == lease.id, record.fence == lease.fence
    else { return nil }
    return body
  }

  /// The record of a lock, as it is found.
  func lock(at cell: Int) -> LockRecord? { LockRecord(storage.body(at: cell)) }
}
