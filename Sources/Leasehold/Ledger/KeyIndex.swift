/// A key of a ``KeyIndex``.
protocol IndexKey: Equatable {
  /// A number whose low bits tell keys apart; where others may choose the keys, they cannot know it without the seed.
  func home(_ seed: UInt64) -> UInt64
}

extension LeaseID: IndexKey {
  /// The ids are 128 random bits of our own making.
  func home(_: UInt64) -> UInt64 { low }
}

extension LockKey: IndexKey {
  func home(_ seed: UInt64) -> UInt64 { text.spread(seed) }
}

/// Finds what belongs to a key: open addressing with linear probing.
///
/// A dictionary takes more than twice as long for a name, and would hash an id again, three times for each lease's
/// life. Each slot has the whole key, so that a probe looks at nothing but slots: leases lie all over memory.
struct KeyIndex<Key: IndexKey, Value> {
  private struct Slot {
    let key: Key
    let value: Value
  }

  private var slots = [Slot?](repeating: nil, count: 256)
  private let seed = UInt64.random(in: .min ... .max)
  private(set) var count = 0

  private var mask: Int { slots.count - 1 }

  /// The value that belongs to a key.
  subscript(key: Key) -> Value? {
    get { slots[position(of: key)]?.value }
    set {
      if let newValue { insert(newValue, key) } else { remove(key) }
    }
  }

  func has(_ key: Key) -> Bool { slots[position(of: key)] != nil }

  private func home(_ key: Key) -> Int { Int(truncatingIfNeeded: key.home(seed)) & mask }

  /// Where the key stands, or would.
  private func position(of key: Key) -> Int {
    // In place: a copy of a slot would count what is in it.
    slots.withUnsafeBufferPointer { slots in
      var position = home(key)
      while let other = slots[position]?.key, other != key { position = (position + 1) & mask }
      return position
    }
  }

  private mutating func insert(_ value: Value, _ key: Key) {
    if (count + 1) * 2 > slots.count { grow() }
    let position = position(of: key)
    if slots[position] == nil { count += 1 }
    slots[position] = Slot(key: key, value: value)
  }

  private mutating func remove(_ key: Key) {
    var hole = position(of: key)
    guard slots[hole] != nil else { return }
    slots[hole] = nil
    count -= 1
    // What stands behind the hole and could not be found over it moves into it.
    var position = (hole + 1) & mask
    while let slot = slots[position] {
      let distance = (position - home(slot.key)) & mask
      if distance >= (position - hole) & mask {
        slots.swapAt(hole, position)
        hole = position
      }
      position = (position + 1) & mask
    }
  }

  private mutating func grow() {
    let old = slots
    slots = Array(repeating: nil, count: old.count * 2)
    for case let slot? in old { slots[position(of: slot.key)] = slot }
  }
}
