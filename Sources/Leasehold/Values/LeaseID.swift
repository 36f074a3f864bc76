/// The 128 random bits that name a lease; a caller that knows them may release and renew it.
///
/// Written as 32 lower-case hexadecimal digits. Listings and logs show only ``ref``.
public struct LeaseID: Hashable, Sendable {
  /// The first 64 bits.
  public let high: UInt64
  /// The last 64 bits.
  public let low: UInt64

  /// Makes an identifier from its two halves.
  public init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  /// Reads 32 hexadecimal digits in lower case, the one way an id is written; `nil` for anything else.
  @inlinable
  public init?<Bytes: Collection>(hexadecimal bytes: Bytes) where Bytes.Element == UInt8 {
    let halves = bytes.withContiguousStorageIfAvailable { Self.halves(UnsafeRawBufferPointer($0)) }
    guard let (high, low) = halves ?? Array(bytes).withUnsafeBytes({ Self.halves($0) }) else { return nil }
    self.init(high: high, low: low)
  }

  @usableFromInline
  static func halves(_ digits: UnsafeRawBufferPointer) -> (high: UInt64, low: UInt64)? {
    guard digits.count == 32 else { return nil }
    var (high, low): (UInt64, UInt64) = (0, 0)
    for offset in stride(from: 0, to: 32, by: 8) {
      guard let eight = value(ofEight: UInt64(bigEndian: digits.loadUnaligned(fromByteOffset: offset, as: UInt64.self)))
      else { return nil }
      high = high << 32 | low >> 32
      low = low << 32 | eight
    }
    return (high, low)
  }

  /// Reads eight digits at once, the first one in the highest byte; `nil` where they are not what the value is written
  /// as.
  @inline(__always)
  private static func value(ofEight text: UInt64) -> UInt64? {
    // A letter has bit 6 set and is nine more than its lowest four bits say.
    let letters = text >> 6 & 0x0101_0101_0101_0101
    let nibbles = text & 0x0f0f_0f0f_0f0f_0f0f &+ letters &* 9
    guard nibbles & 0xf0f0_f0f0_f0f0_f0f0 == 0, nibbles &+ 0x3030_3030_3030_3030 &+ letters &* 0x27 == text,
      (nibbles &+ 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101 == letters
    else { return nil }
    var packed = (nibbles | nibbles >> 4) & 0x00ff_00ff_00ff_00ff
    packed = (packed | packed >> 8) & 0x0000_ffff_0000_ffff
    return (packed | packed >> 16) & 0xffff_ffff
  }

  /// Hashes one half: the bits are random already.
  public func hash(into hasher: inout Hasher) { hasher.combine(low) }

  /// The 32 digits.
  public var text: String { high.hexadecimal() + low.hexadecimal() }

  /// The first ten digits: enough to tell leases apart, too few (40 of 128 bits) to act on one.
  public var ref: String { (high >> 24).hexadecimal(digits: 10) }
}

extension UInt64 {
  /// Its lowest digits in lower-case hexadecimal, zeros in front included.
  func hexadecimal(digits count: Int = 16) -> String {
    String(unsafeUninitializedCapacity: count) { buffer in
      for index in 0..<count {
        let nibble = UInt8(truncatingIfNeeded: self >> UInt64(4 * (count - 1 - index)) & 15)
        buffer[index] = nibble < 10 ? 0x30 + nibble : 0x57 + nibble
      }
      return count
    }
  }
}
