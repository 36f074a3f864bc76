// Names, fields and ids are short, and each request has a dozen of them: their bytes are looked at eight at a time.
// What does not fill the last eight is looked at together with some bytes before it, a second time.

extension UnsafeRawBufferPointer {
  /// Returns true when every byte is ASCII, no smaller than `least` (at most 0x80), and not DEL.
  public func isPlainASCII(from least: UInt8 = 0x20) -> Bool {
    let floor = Self.ones &* UInt64(least)
    // The first byte that is none of these has its top bit set in one of the three: beyond ASCII, too small, or DEL.
    return isFree { $0 | ($0 &- floor) | ($0 &+ Self.ones) }
  }

  /// True when every byte is ASCII that means itself in a text of JSON: no control character, DEL, quote or backslash.
  @inlinable @inline(__always)
  public var isPlainJSON: Bool {
    let (blank, quote, slash) = (Self.ones &* 0x20, Self.ones &* 0x22, Self.ones &* 0x5c)
    // One less than nothing has its top bit set, and nothing is what a byte differs from itself by.
    return isFree {
      $0 | ($0 &- blank) | ($0 &+ Self.ones) | (($0 ^ quote) &- Self.ones) | (($0 ^ slash) &- Self.ones)
    }
  }

  /// True when every byte is ASCII that means itself in a form: no percent sign, plus or NUL.
  @inlinable @inline(__always)
  public var isPlainForm: Bool {
    let (percent, plus) = (Self.ones &* 0x25, Self.ones &* 0x2b)
    return isFree { $0 | ($0 &- Self.ones) | (($0 ^ percent) &- Self.ones) | (($0 ^ plus) &- Self.ones) }
  }

  @inlinable
  static var ones: UInt64 { 0x0101_0101_0101_0101 }

  /// Returns true when `marks`, applied to eight bytes each, leaves every top bit clear.
  @inlinable @inline(__always)
  func isFree(of marks: (UInt64) -> UInt64) -> Bool {
    func flaws(_ word: UInt64) -> UInt64 { marks(word) & (Self.ones << 7) }
    if count >= 8 {
      var found = flaws(loadUnaligned(fromByteOffset: count &- 8, as: UInt64.self))
      var offset = 0
      while offset < count &- 8 {
        found |= flaws(loadUnaligned(fromByteOffset: offset, as: UInt64.self))
        offset &+= 8
      }
      return found == 0
    }
    if count >= 4 { return flaws(twice4) == 0 }
    // Each byte eight times.
    for byte in self where flaws(UInt64(byte) &* Self.ones) != 0 { return false }
    return true
  }

  /// The first four bytes and the last four, which are all of four to eight.
  @inlinable @inline(__always)
  var twice4: UInt64 {
    UInt64(loadUnaligned(as: UInt32.self)) << 32
      | UInt64(loadUnaligned(fromByteOffset: count &- 4, as: UInt32.self))
  }

  /// Returns true when both have the same bytes.
  public func hasBytes(of other: UnsafeRawBufferPointer) -> Bool {
    guard count == other.count else { return false }
    if count >= 8 {
      var difference =
        loadUnaligned(fromByteOffset: count &- 8, as: UInt64.self)
        ^ other.loadUnaligned(fromByteOffset: count &- 8, as: UInt64.self)
      var offset = 0
      while offset < count &- 8 {
        difference |=
          loadUnaligned(fromByteOffset: offset, as: UInt64.self)
          ^ other.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
        offset &+= 8
      }
      return difference == 0
    }
    if count >= 4 { return twice4 == other.twice4 }
    for offset in 0..<count where self[offset] != other[offset] { return false }
    return true
  }

  /// The bytes as a number that differs, for all practical purposes, when they do: each eight are multiplied by what
  /// only this process knows, and both halves of that count.
  @inline(__always)
  func spread(_ seed: UInt64) -> UInt64 {
    func mixed(_ hash: UInt64, _ word: UInt64) -> UInt64 {
      let (high, low) = (hash ^ word).multipliedFullWidth(by: seed | 1)
      return high ^ low
    }
    var hash = mixed(seed, UInt64(count))
    guard count >= 8 else {
      if count >= 4 { return mixed(hash, twice4) }
      for byte in self { hash = mixed(hash, UInt64(byte)) }
      return hash
    }
    var offset = 0
    while offset < count &- 8 {
      hash = mixed(hash, loadUnaligned(fromByteOffset: offset, as: UInt64.self))
      offset &+= 8
    }
    return mixed(hash, loadUnaligned(fromByteOffset: count &- 8, as: UInt64.self))
  }
}

extension String {
  /// Takes bytes that are known to be ASCII, by a shorter way than decoding them.
  public init(ascii bytes: UnsafeBufferPointer<UInt8>) {
    self.init(unsafeUninitializedCapacity: bytes.count) { $0.initialize(fromContentsOf: bytes) }
  }
}
