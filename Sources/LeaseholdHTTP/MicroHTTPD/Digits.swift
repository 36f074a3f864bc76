/// Writes a number in decimal, two digits at a time from its end, and answers how many it has.
///
/// There must be room for 20.
func writeDecimal(_ value: UInt64, at text: UnsafeMutablePointer<UInt8>) -> Int {
  if value < 10 {
    text[0] = 0x30 &+ UInt8(truncatingIfNeeded: value)
    return 1
  }
  var (length, least) = (2, UInt64(10))
  // The least number of as many digits grows no further than 10^19, which 64 bits hold.
  let tenth = value / 10
  while tenth >= least {
    length += 2
    least *= 100
  }
  if value < least { length -= 1 }
  var (rest, end) = (value, text + length)
  while rest >= 100 {
    let (quotient, pair) = rest.quotientAndRemainder(dividingBy: 100)
    end -= 2
    writeTwoDigits(UInt32(truncatingIfNeeded: pair), at: end)
    rest = quotient
  }
  if rest >= 10 {
    writeTwoDigits(UInt32(truncatingIfNeeded: rest), at: text)
  } else {
    text[0] = 0x30 &+ UInt8(truncatingIfNeeded: rest)
  }
  return length
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

/// Eight digits at once: a nibble into each byte of a word, then all bytes to ASCII in one addition.
@inline(__always)
private func hexDigits(_ value: UInt64) -> UInt64 {
  var spread = (value << 16 | value) & 0x0000_ffff_0000_ffff
  spread = (spread << 8 | spread) & 0x00ff_00ff_00ff_00ff
  spread = (spread << 4 | spread) & 0x0f0f_0f0f_0f0f_0f0f
  let letters = (spread &+ 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101
  return (spread &+ 0x3030_3030_3030_3030 &+ letters &* 0x27).bigEndian
}
