/// Writes a number in decimal and answers how many digits it has; there must be room for 20.
func writeDecimal(_ value: UInt64, at text: UnsafeMutablePointer<UInt8>) -> Int {
  guard value >= 100_000_000 else { return writeShort(UInt32(truncatingIfNeeded: value), at: text) }
  let (high, low) = value.quotientAndRemainder(dividingBy: 100_000_000)
  let length = writeDecimal(high, at: text)
  writePairs(UInt32(truncatingIfNeeded: low), 4, at: text + length)
  return length + 8
}

/// A number below 100 000 000.
private func writeShort(_ value: UInt32, at text: UnsafeMutablePointer<UInt8>) -> Int {
  let pairs = value < 10_000 ? (value < 100 ? 1 : 2) : (value < 1_000_000 ? 3 : 4)
  writePairs(value, pairs, at: text)
  guard text.pointee == 0x30 else { return 2 * pairs }
  text.update(from: text + 1, count: 2 * pairs - 1)
  return 2 * pairs - 1
}

/// Two digits for each pair, zeros in front included.
private func writePairs(_ value: UInt32, _ pairs: Int, at text: UnsafeMutablePointer<UInt8>) {
  var rest = value
  var position = text + 2 * pairs
  while position > text {
    position -= 2
    let (quotient, pair) = rest.quotientAndRemainder(dividingBy: 100)
    writeTwoDigits(pair, at: position)
    rest = quotient
  }
}

/// A number below 100 as two digits.
@inline(__always)
func writeTwoDigits(_ value: UInt32, at text: UnsafeMutablePointer<UInt8>) {
  text[0] = 0x30 &+ UInt8(truncatingIfNeeded: value / 10)
  text[1] = 0x30 &+ UInt8(truncatingIfNeeded: value % 10)
}

/// Writes the 16 digits of a number in lower-case hexadecimal.
@inline(__always)
func writeHexDigits(_ value: UInt64, at text: UnsafeMutablePointer<UInt8>) {
  let memory = UnsafeMutableRawPointer(text)
  memory.storeBytes(of: hexDigits(value >> 32), as: UInt64.self)
  memory.storeBytes(of: hexDigits(value & 0xffff_ffff), toByteOffset: 8, as: UInt64.self)
}

/// Eight digits at once: a nibble into each byte of a word, then all bytes to ASCII in one addition.
@inline(__always)
private func hexDigits(_ value: UInt64) -> UInt64 {
  var spread = (value << 16 | value) & 0x0000_ffff_0000_ffff
  spread = (spread << 8 | spread) & 0x00ff_00ff_00ff_00ff
  spread = (spread << 4 | spread) & 0x0f0f_0f0f_0f0f_0f0f
  let letters = (spread &+ 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101
  return (spread &+ 0x3030_3030_3030_3030 &+ letters &* 0x27).bigEndian
}
