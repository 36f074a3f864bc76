/// Finds leases by their ids: open addressing with linear probing.
///
/// The ids are 128 random bits of our own making, so their low bits are the hash: a dictionary would hash them again,
/// three times for each lease's life.
struct LeaseIndex {
  private var slots: [Lease?] = Array(repeating: nil, count: 1024)
  private(set) var count = 0

  private var mask: Int { slots.count - 1 }

  /// The lease of an id.
  ///
  /// Setting a lease replaces none: ids are new.
  subscript(id: LeaseID) -> Lease? {
    get { slots[position(of: id)] }
    set {
      if let newValue { insert(newValue) } else { remove(id) }
    }
  }

  /// All leases, in no order.
  var leases: [Lease] { slots.compactMap(\.self) }

  private func home(_ id: LeaseID) -> Int { Int(truncatingIfNeeded: id.low) & mask }

  /// Where the id stands, or would.
  private func position(of id: LeaseID) -> Int {
    var position = home(id)
    while let lease = slots[position], lease.id != id { position = (position + 1) & mask }
    return position
  }

  private mutating func insert(_ lease: Lease) {
    if (count + 1) * 2 > slots.count { grow() }
    let position = position(of: lease.id)
    if slots[position] == nil { count += 1 }
    slots[position] = lease
  }

  private mutating func remove(_ id: LeaseID) {
    var hole = position(of: id)
    guard slots[hole] != nil else { return }
    slots[hole] = nil
    count -= 1
    // Whoever stands behind the hole and could not be found over it moves into it.
    var position = (hole + 1) & mask
    while let lease = slots[position] {
      let distance = (position - home(lease.id)) & mask
      if distance >= (position - hole) & mask {
        slots[hole] = lease
        slots[position] = nil
        hole = position
      }
      position = (position + 1) & mask
    }
  }

  private mutating func grow() {
    let old = slots
    slots = Array(repeating: nil, count: old.count * 2)
    for lease in old {
      if let lease { slots[position(of: lease.id)] = lease }
    }
  }
}
