import Leasehold

/// The records as another program would read them, by the written layout and not by the ledger's own code.
struct RawRecords {
  struct RawLease {
    let cell: Int
    let id: LeaseID
    let fence: Int64
    let lockCell: Int
    let units: Int
    let textCell: UInt32
    /// Its slots with names, a bit each.
    let slots: UInt64
    /// True when its slots cool down.
    let isCooling: Bool
    /// True when it is what a lease of several has of one more lock; a suspect stands for itself.
    let isPart: Bool
    /// The fence of those that a part was added to.
    let addedTo: Int64?
    /// True when its parts have another fence than it has.
    let hasGroup: Bool
  }

  struct RawLock {
    let cell: Int
    let set: Int32
    let place: Int
    let capacity: Int
    let textCell: UInt32
    let isLive: Bool
    /// True when it only carries leases on raw operations.
    let isHidden: Bool
  }

  /// Held ones and those that cool down.
  var leases: [RawLease] = []
  var ends: [RawLease] = []
  var locks: [RawLock] = []
  var texts: [Int: UInt32] = [:]
  /// The records of locks' terms, by their locks' records, and the limits that they say.
  var terms: [Int: (cell: Int, limit: Int, names: UInt64, textCell: UInt32)] = [:]
  var flaws: [String] = []

  var count: Int { leases.count + ends.count + locks.count + texts.count + terms.count }

  init(_ storage: MemoryStorage) {
    for cell in 0..<storage.capacity {
      let word = storage.commitWord(at: cell).rawValue
      guard word != 0 else { continue }
      if cell >= storage.header(.highWater).clamped(to: 0...Int.max) {
        flaws.append("record \(cell) is in use above the high-water mark")
      }
      read(storage.body(at: cell), state: Int(word & 0xff), kind: Int(word >> 8 & 0xff), cell: cell)
    }
  }

  private mutating func read(_ body: CellBody, state: Int, kind: Int, cell: Int) {
    let words = body.words
    switch (kind, state) {
    case (1, 1), (1, 4), (1, 7), (1, 16...26), (1, 48...58):
      let lease = RawLease(
        cell: cell, id: LeaseID(high: words[2], low: words[3]), fence: Int64(bitPattern: words[4]),
        lockCell: Int(words[6] & 0xffff_ffff), units: Int(words[6] >> 32),
        textCell: UInt32(words[8] >> 32), slots: words[10] >> 23 & 1 == 1 ? words[14] : 0,
        isCooling: state == 4 || state >= 48, isPart: words[8] >> 27 & 1 == 1 && state != 7,
        addedTo: words[8] >> 27 & 5 == 5 ? Int64(bitPattern: words[9]) : nil,
        hasGroup: words[8] >> 30 & 1 == 1)
      if state < 16 || state >= 48 { leases.append(lease) } else { ends.append(lease) }
    case (2, 1...3):
      locks.append(
        RawLock(
          cell: cell, set: Int32(truncatingIfNeeded: words[2]), place: Int(words[2] >> 32 & 0xffff),
          capacity: Int(words[3] & 0xffff_ffff), textCell: UInt32(words[3] >> 32), isLive: state == 1,
          isHidden: words[2] >> 48 & 0xff == 6))
    case (3, 1) where words[2] >> 32 == 0x5445_524d:
      let lock = Int(words[3] & 0xffff_ffff)
      if terms[lock] != nil { flaws.append("record \(cell) has terms for the lock in record \(lock), which has some") }
      terms[lock] = (cell, Int(words[0] & 0xffff_ffff), words[5], UInt32(truncatingIfNeeded: words[6]))
    case (3, 1): texts[cell] = UInt32(truncatingIfNeeded: words[2])
    default: flaws.append("record \(cell) has kind \(kind) and state \(state)")
    }
  }
}
