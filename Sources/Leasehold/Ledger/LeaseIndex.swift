/// Finds leases by their ids: open addressing with linear probing.
///
/// The ids are 128 random bits of our own making, so their low bits are the hash: a dictionary would hash them again,
/// three times for each lease's life.
///
/// Each slot has half of the id beside the lease, so that a probe looks at no lease but the one it finds: leases lie
/// all over memory.
struct LeaseIndex {
  private struct Slot {
    var low: UInt64
    var lease: Lease?
    static var empty: Slot { Slot(low: 0, lease: nil) }
  }

  private var slots = Array(repeating: Slot.empty, count: 1024)
  private(set) var count = 0

  private var mask: Int { slots.count - 1 }

  /// The lease of an id.
  ///
  /// Setting a lease replaces none: ids are new.
  subscript(id: LeaseID) -> Lease? {
    get { slots[position(of: id)].lease }
    set {
      if let newValue { insert(newValue) } else { remove(id) }
    }
  }

  /// All leases, in no order.
  var leases: [Lease] { slots.compactMap(\.lease) }

  private func home(_ low: UInt64) -> Int { Int(truncatingIfNeeded: low) & mask }

  /// Where the id stands, or would.
  private func position(of id: LeaseID) -> Int {
    var position = home(id.low)
    while slots[position].lease != nil {
      if slots[position].low == id.low, slots[position].lease?.id == id { break }
      position = (position + 1) & mask
    }
    return position
  }

  private mutating func insert(_ lease: Lease) {
    if (count + 1) * 2 > slots.count { grow() }
    let position = position(of: lease.id)
    if slots[position].lease == nil { count += 1 }
    slots[position] = Slot(low: lease.id.low, lease: lease)
  }

  private mutating func remove(_ id: LeaseID) {
    var hole = position(of: id)
    guard slots[hole].lease != nil else { return }
    slots[hole] = .empty
    count -= 1
    // Whoever stands behind the hole and could not be found over it moves into it.
    var position = (hole + 1) & mask
    while slots[position].lease != nil {
      let distance = (position - home(slots[position].low)) & mask
      if distance >= (position - hole) & mask {
        slots.swapAt(hole, position)
        hole = position
      }
      position = (position + 1) & mask
    }
  }

  private mutating func grow() {
    let old = slots
    slots = Array(repeating: .empty, count: old.count * 2)
    for slot in old {
      if let lease = slot.lease { slots[position(of: lease.id)] = slot }
    }
  }
}
