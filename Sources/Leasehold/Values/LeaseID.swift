/// The 128 random bits that name a lease; who knows them may release and renew it.
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
    guard bytes.count == 32 else { return nil }
    var halves: (UInt64, UInt64) = (0, 0)
    var position = 0
    for byte in bytes {
      guard let digit = Self.value(of: byte) else { return nil }
      if position < 16 { halves.0 = halves.0 << 4 | digit } else { halves.1 = halves.1 << 4 | digit }
      position += 1
    }
    self.init(high: halves.0, low: halves.1)
  }

  /// Hashes one half: the bits are random already.
  public func hash(into hasher: inout Hasher) { hasher.combine(low) }

  /// The 32 digits.
  public var text: String { Self.digits(of: high, count: 16) + Self.digits(of: low, count: 16) }

  /// The first ten digits: enough to tell leases apart, too few (40 of 128 bits) to act on one.
  public var ref: String { Self.digits(of: high >> 24, count: 10) }

  @inlinable @inline(__always)
  static func value(of byte: UInt8) -> UInt64? {
    let digit = byte &- 0x30
    if digit < 10 { return UInt64(digit) }
    let letter = byte &- 0x61
    return letter < 6 ? UInt64(letter + 10) : nil
  }

  @inline(__always)
  private static func digit(_ value: UInt64) -> UInt8 {
    let nibble = UInt8(truncatingIfNeeded: value & 15)
    return nibble < 10 ? 0x30 + nibble : 0x57 + nibble
  }

  private static func digits(of value: UInt64, count: Int) -> String {
    String(unsafeUninitializedCapacity: count) { buffer in
      for index in 0..<count { buffer[index] = digit(value >> UInt64(4 * (count - 1 - index))) }
      return count
    }
  }
}
