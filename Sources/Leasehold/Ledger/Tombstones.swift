/// The memory of a lease that ended, so that its holder can be told.
struct Tombstone {
  let id: LeaseID
  /// Its lock, of several the first; `nil` where the end is from before a restart and the lock is not known any more.
  let key: LockKey?
  /// The names of all its locks, on a lease of several; empty where there is one, or a restart forgot them.
  var keys: [LockKey] = []
  let reason: EndReason
  /// When, in nanoseconds of CLOCK_MONOTONIC.
  let endedAt: Int64
  /// Its record, which tells of the end after a restart.
  let cell: Int
  /// The operator and the reason, when it was broken.
  var breaking: BreakNote?
  /// The lease itself, where a retry is told by it.
  var lease: Lease?
}

extension Tombstone {
  /// The end of a lease in memory.
  init(_ lease: Lease, _ reason: EndReason) {
    self.init(
      id: lease.id, key: lease.key, keys: lease.parts.isEmpty ? [] : lease.members.map(\.key), reason: reason,
      endedAt: lease.endedAt, cell: lease.cell, breaking: reason == .broken ? lease.breaking : nil,
      lease: lease.idempotencyKey == nil ? nil : lease)
  }
}

/// Leases that ended, oldest first, as many as are remembered.
///
/// Only what holders may ask of ten thousand ends is kept, side by side. With whole leases a new one would always get
/// the memory that was used least recently, which is in no cache any more.
struct TombstoneRing {
  private var entries: [Tombstone] = []
  private var places = KeyIndex<LeaseID, Int32>()
  let capacity: Int
  private var head = 0
  private(set) var count = 0

  init(capacity: Int) { self.capacity = max(1, capacity) }

  var isFull: Bool { count == capacity }
  var oldest: Tombstone? { count == 0 ? nil : entries[head] }

  /// The end of a lease, if it is remembered.
  subscript(id: LeaseID) -> Tombstone? { places[id].map { entries[Int($0)] } }

  /// The latest end of a lease with such a short name; a look at all of them.
  func latest(ref: UInt64) -> Tombstone? {
    (0..<count).reversed().lazy.map { entries[place($0)] }.first { $0.id.high >> 24 == ref }
  }

  private func place(_ number: Int) -> Int {
    let place = head + number
    return place < capacity ? place : place - capacity
  }

  /// Adds the latest; there must be room.
  mutating func append(_ tombstone: consuming Tombstone) {
    precondition(!isFull, "make room before remembering another end")
    let place = place(count)
    places[tombstone.id] = Int32(truncatingIfNeeded: place)
    if place == entries.count { entries.append(tombstone) } else { entries[place] = tombstone }
    count += 1
  }

  /// Takes the oldest.
  mutating func popOldest() -> Tombstone? {
    guard let oldest else { return nil }
    places[oldest.id] = nil
    head = place(1)
    count -= 1
    return oldest
  }
}
