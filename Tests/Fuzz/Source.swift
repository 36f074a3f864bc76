/// Numbers out of a seed (SplitMix64), and bytes made of other bytes with them.
struct Source {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
    return mixed ^ mixed >> 31
  }

  /// From 0 to below the bound.
  mutating func below(_ bound: Int) -> Int { bound < 1 ? 0 : Int(next() % UInt64(bound)) }

  /// Numbers that code gets wrong.
  private static let odd: [Int64] = [
    0, 1, -1, 2, 7, 8, 23, 24, 31, 32, 39, 40, 41, 127, 128, 255, 256, 65_535, 65_536, .max, .min, .max - 1, .max - 31,
    Int64(Int32.max), Int64(Int32.min), 1 << 32,
  ]

  /// A few changes: single bits and bytes, odd numbers, pieces left out, doubled, or taken from elsewhere.
  mutating func mutate(_ bytes: [UInt8], with other: [UInt8]) -> [UInt8] {
    var bytes = bytes
    for _ in 0..<below(6) {
      let place = below(bytes.count)
      switch below(8) {
      case 0 where !bytes.isEmpty: bytes[place] ^= 1 << UInt8(below(8))
      case 1 where !bytes.isEmpty: bytes[place] = UInt8(truncatingIfNeeded: next())
      case 2: put(Self.odd[below(Self.odd.count)], of: 8, at: place & ~7, in: &bytes)
      case 3: put(Self.odd[below(Self.odd.count)], of: 4, at: place & ~3, in: &bytes)
      case 4: bytes.removeSubrange(place..<min(bytes.count, place + below(9)))
      case 5: bytes.insert(contentsOf: bytes[place..<min(bytes.count, place + below(40))], at: place)
      case 6:
        let from = below(other.count)
        bytes.insert(contentsOf: other[from..<min(other.count, from + below(40))], at: place)
      default: bytes.insert(contentsOf: "\(Self.odd[below(Self.odd.count)])".utf8, at: place)
      }
    }
    return bytes
  }

  private func put(_ number: Int64, of size: Int, at place: Int, in bytes: inout [UInt8]) {
    for index in 0..<size where place + index < bytes.count {
      bytes[place + index] = UInt8(truncatingIfNeeded: number >> Int64(8 * index))
    }
  }
}
