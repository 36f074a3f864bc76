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
  mutating func give(_ cell: Int) {
    precondition(cell >= 0 && cell < highWater, "a record that was taken is given back")
    free.append(Int32(truncatingIfNeeded: cell))
  }

  /// Takes the last record back that ``take()`` handed out by growing.
  mutating func shrink() { highWater -= 1 }

  /// Begins anew with what a scan found.
  mutating func rebuild(highWater: Int, isFree: (Int) -> Bool) {
    self.highWater = highWater
    free = []
    for cell in stride(from: highWater - 1, through: 0, by: -1) where isFree(cell) { give(cell) }
  }
}
