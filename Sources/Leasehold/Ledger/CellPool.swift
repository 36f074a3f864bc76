/// Which records are free.
///
/// Kept in memory only and rebuilt by one scan, so that no crash can damage it.
struct CellPool {
  let capacity: Int
  private(set) var highWater = 0
  private var free: [Int32] = []

  init(capacity: Int) { self.capacity = capacity }

  /// Records in use.
  var used: Int { highWater - free.count }

  /// Takes a free record; `nil` when there is none.
  ///
  /// The caller reserves memory when ``highWater`` grew.
  mutating func take() -> Int? {
    if let cell = free.popLast() { return Int(cell) }
    guard highWater < capacity else { return nil }
    highWater += 1
    return highWater - 1
  }

  /// Gives a record back.
  mutating func give(_ cell: Int) { free.append(Int32(truncatingIfNeeded: cell)) }

  /// Takes the last record back that ``take()`` handed out by growing.
  mutating func shrink() { highWater -= 1 }

  /// Begins anew with what a scan found.
  mutating func rebuild(highWater: Int, isFree: (Int) -> Bool) {
    self.highWater = highWater
    free = []
    for cell in stride(from: highWater - 1, through: 0, by: -1) where isFree(cell) { give(cell) }
  }
}

extension Ledger {
  /// Takes a record with memory behind it, forgetting the oldest end when there is no other room.
  func takeCell() throws(LeaseholdError) -> Int {
    let before = cells.highWater
    if let cell = cells.take() {
      if cells.highWater > before { try grow(to: cells.highWater) }
      return cell
    }
    guard let oldest = tombstones.popOldest() else { throw Self.ledgerFull(cells.capacity) }
    forget(oldest)
    guard let cell = cells.take() else { throw Self.ledgerFull(cells.capacity) }
    return cell
  }

  private func grow(to count: Int) throws(LeaseholdError) {
    do {
      try storage.reserve(count)
    } catch {
      cells.shrink()
      throw Self.kernelRefused(error, doing: "grow the ledger")
    }
    while leasesByCell.count < count {
      leasesByCell.append(nil)
      locksByCell.append(nil)
    }
    storage.setHeader(.highWater, UInt64(count))
  }

  /// Gives back a record that was never committed, or that is free again.
  func giveCell(_ cell: Int) { cells.give(cell) }

  /// Writes a text that does not fit its record; answers the first record of the chain.
  func writeText(_ bytes: [UInt8]) throws(LeaseholdError) -> UInt32 {
    var next = TextRecord.none
    var starts = Array(stride(from: 0, to: bytes.count, by: TextRecord.bytes))
    while let start = starts.popLast() {
      let piece = bytes[start..<min(start + TextRecord.bytes, bytes.count)]
      let cell: Int
      do {
        cell = try takeCell()
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
  func freeText(_ first: UInt32) {
    var cell = first
    while leasesByCell.indices.contains(Int(cell)) {
      let word = storage.commitWord(at: Int(cell))
      let body = storage.body(at: Int(cell))
      guard word.kind == .text, word.check == body.check else { return }
      storage.commit(.free, at: Int(cell))
      giveCell(Int(cell))
      cell = UInt32(truncatingIfNeeded: body.words[2])
    }
  }
}
