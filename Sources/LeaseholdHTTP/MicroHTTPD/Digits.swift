/// Writes a number in decimal, eight digits at a time, and answers how many it has.
///
/// There must be room for 20.
func writeDecimal(_ value: UInt64, at text: UnsafeMutablePointer<UInt8>) -> Int {
  value < 100_000_000 ? writeFirstDigits(value, at: text) : writeManyDigits(value, at: text)
}

@inline(never)
private func writeManyDigits(_ value: UInt64, at text: UnsafeMutablePointer<UInt8>) -> Int {
  let (high, low) = value.quotientAndRemainder(dividingBy: 100_000_000)
  let length = writeDecimal(high, at: text)
  UnsafeMutableRawPointer(text + length).storeBytes(of: (eightDigits(low) | asciiZeros).littleEndian, as: UInt64.self)
  return length + 8
}

/// The same below 100 000 000, the zeros in front left out; eight bytes are written.
@inline(__always)
private func writeFirstDigits(_ value: UInt64, at text: UnsafeMutablePointer<UInt8>) -> Int {
  // The last digit stays, also of 0.
  let digits = eightDigits(value)
  let zeros = (digits | 1 << 56).trailingZeroBitCount >> 3
  let shown = (digits | asciiZeros) >> UInt64(truncatingIfNeeded: zeros << 3)
  UnsafeMutableRawPointer(text).storeBytes(of: shown.littleEndian, as: UInt64.self)
  return 8 - zeros
}

let asciiZeros: UInt64 = 0x3030_3030_3030_3030

/// Eight digits at once, the first in the lowest byte: halves, then pairs, then single ones, each quotient by a
/// multiplication.
@inline(__always)
func eightDigits(_ value: UInt64) -> UInt64 {
  let (high, low) = value.quotientAndRemainder(dividingBy: 10_000)
  let halves = high | low << 32
  let hundreds = (halves &* 10_486) >> 20 & 0x7f_0000_007f
  let pairs = hundreds | (halves &- hundreds &* 100) << 16
  let tens = (pairs &* 103) >> 10 & 0x000f_000f_000f_000f
  return tens | (pairs &- tens &* 10) << 8
}

/// Writes a number below 100 as two digits, zero in front included.
///
/// The tens by one multiplication, both to ASCII by one addition.
@inline(__always)
func writeTwoDigits(_ value: UInt32, at text: UnsafeMutablePointer<UInt8>) {
  let tens = (value &* 103) >> 10
  let digits = UInt16(truncatingIfNeeded: tens | (value &- tens &* 10) << 8) &+ 0x3030
  UnsafeMutableRawPointer(text).storeBytes(of: digits.littleEndian, as: UInt16.self)
}

/// Writes the 16 digits of a number in lower-case hexadecimal.
@inline(__always)
func writeHexDigits(_ value: UInt64, at text: UnsafeMutablePointer<UInt8>) {
  let memory = UnsafeMutableRawPointer(text)
  memory.storeBytes(of: hexDigits(value >> 32), as: UInt64.self)
  memory.storeBytes(of: hexDigits(value & 0xffff_ffff), toByteOffset: 8, as: UInt64.self)
}

/// Eight decimal digits of four bits each.
@inline(__always)
func packedDigits(_ value: UInt64) -> UInt64 { (nibbles(value) | asciiZeros).bigEndian }

/// A nibble into each byte of a word.
@inline(__always)
private func nibbles(_ value: UInt64) -> UInt64 {
  var spread = (value << 16 | value) & 0x0000_ffff_0000_ffff
  spread = (spread << 8 | spread) & 0x00ff_00ff_00ff_00ff
  return (spread << 4 | spread) & 0x0f0f_0f0f_0f0f_0f0f
}

/// Eight digits at once: all bytes to ASCII in one addition.
@inline(__always)
private func hexDigits(_ value: UInt64) -> UInt64 {
  let spread = nibbles(value)
  let letters = (spread &+ 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101
  return (spread &+ 0x3030_3030_3030_3030 &+ letters &* 0x27).bigEndian
}
