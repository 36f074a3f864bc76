/// Finds what belongs to a lease by its id: open addressing with linear probing.
///
/// The ids are 128 random bits of our own making, so their low bits are the hash: a dictionary would hash them again,
/// three times for each lease's life. Each slot has the whole id, so that a probe looks at nothing but slots: leases
/// lie all over memory.
struct LeaseIndex<Value> {
  private struct Slot {
    var id: LeaseID
    var value: Value?
    static var empty: Slot { Slot(id: LeaseID(high: 0, low: 0), value: nil) }
  }

  private var slots = Array(repeating: Slot.empty, count: 256)
  private(set) var count = 0

  private var mask: Int { slots.count - 1 }

  /// The value that belongs to an id.
  ///
  /// Setting a value replaces none: ids are new.
  subscript(id: LeaseID) -> Value? {
    get { slots[position(of: id)].value }
    set {
      if let newValue { insert(newValue, id) } else { remove(id) }
    }
  }

  func has(_ id: LeaseID) -> Bool { slots[position(of: id)].value != nil }

  private func home(_ id: LeaseID) -> Int { Int(truncatingIfNeeded: id.low) & mask }

  /// Where the id stands, or would.
  private func position(of id: LeaseID) -> Int {
    var position = home(id)
    while slots[position].value != nil, slots[position].id != id { position = (position + 1) & mask }
    return position
  }

  private mutating func insert(_ value: Value, _ id: LeaseID) {
    if (count + 1) * 2 > slots.count { grow() }
    let position = position(of: id)
    if slots[position].value == nil { count += 1 }
    slots[position] = Slot(id: id, value: value)
  }

  private mutating func remove(_ id: LeaseID) {
    var hole = position(of: id)
    guard slots[hole].value != nil else { return }
    slots[hole] = .empty
    count -= 1
    // A lease that stands behind the hole and could not be found over it moves into it.
    var position = (hole + 1) & mask
    while slots[position].value != nil {
      let distance = (position - home(slots[position].id)) & mask
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
    for slot in old where slot.value != nil { slots[position(of: slot.id)] = slot }
  }
}
