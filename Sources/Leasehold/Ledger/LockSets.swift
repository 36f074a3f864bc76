/// A set that native programs use too, as far as leases or waiters of ours stand on it.
final class NativeSet {
  let id: BankID
  let count: Int
  /// Locks by the semaphore that names them.
  var locks: [Int: Lock] = [:]
  /// How it looked last, once a lease stands on it.
  var trace: SetTrace?
  /// Who changed semaphores with leases last, and to what, at that look.
  var seen: [Int: SeenSemaphore] = [:]
  /// What semaphores with leases have, besides what native programs hold, when all leases on them have ended: the least
  /// and the most that looks found, since a lease stands on them.
  var settled: [Int: ClosedRange<Int>] = [:]
  /// Whether the last look could not tell yet what the set's time moved for.
  var isUndecided = false

  init(id: BankID, count: Int) {
    self.id = id
    self.count = count
  }

  /// Whether leases stand on it.
  var hasLeases: Bool { locks.values.contains { !$0.holders.isEmpty } }
}

/// A semaphore as one look found it.
struct SeenSemaphore: Equatable {
  /// The process that changed it last.
  var process: Int32?
  var value: Int
}

/// A semaphore set with room for 64 own locks.
final class Bank {
  let id: BankID
  /// A bit for each free place.
  var freePlaces: UInt64 = .max
  /// A bit for each place whose values had to be put right: native programs may still take it for what it was, so it is
  /// used again when there is no other.
  var mendedPlaces: UInt64 = 0
  var locks: [Lock?] = Array(repeating: nil, count: NamedDialect.locksPerBank)

  init(id: BankID) { self.id = id }

  var isEmpty: Bool { freePlaces == .max }
  var hasRoom: Bool { freePlaces != 0 }

  func takePlace() -> Int {
    let clean = freePlaces & ~mendedPlaces
    let place = (clean != 0 ? clean : freePlaces).trailingZeroBitCount
    freePlaces &= ~(1 << UInt64(place))
    return place
  }

  /// Takes a place out of use for as long as this daemon lives.
  func block(_ place: Int) { freePlaces &= ~(1 << UInt64(place)) }

  func freePlace(_ place: Int) {
    locks[place] = nil
    freePlaces |= 1 << UInt64(place)
  }
}
