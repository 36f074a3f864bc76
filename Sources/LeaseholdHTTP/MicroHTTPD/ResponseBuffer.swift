import Glibc

/// Bytes of an answer, written once and handed to libmicrohttpd without a copy.
///
/// The memory comes from `malloc`, because libmicrohttpd frees it with `free`.
struct ResponseBuffer: ~Copyable, @unchecked Sendable {
  private(set) var base: UnsafeMutableRawPointer?
  private(set) var count = 0
  private(set) var capacity = 0

  /// Makes an empty buffer.
  /// - Parameter capacity: Bytes to allocate at once; 0 allocates with the first append.
  init(capacity: Int = 0) {
    if capacity > 0 { grow(to: capacity) }
  }

  deinit { free(base) }

  /// Gives the memory away; the taker frees it with `free`.
  consuming func take() -> (base: UnsafeMutableRawPointer?, count: Int) {
    let result = (base, count)
    discard self
    return result
  }

  /// Appends one byte.
  mutating func append(_ byte: UInt8) {
    reserve(1).storeBytes(of: byte, as: UInt8.self)
    count += 1
  }

  /// Appends text known at compile time.
  mutating func append(_ text: StaticString) {
    append(contentsOf: UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  /// Appends the UTF-8 of a string.
  mutating func append(_ text: String) {
    var text = text
    text.withUTF8 { append(contentsOf: UnsafeRawBufferPointer($0)) }
  }

  /// Appends bytes.
  mutating func append(contentsOf bytes: UnsafeRawBufferPointer) {
    guard let source = bytes.baseAddress, !bytes.isEmpty else { return }
    memcpy(reserve(bytes.count), source, bytes.count)
    count += bytes.count
  }

  /// Appends bytes.
  mutating func append(contentsOf bytes: UnsafeBufferPointer<UInt8>) {
    append(contentsOf: UnsafeRawBufferPointer(bytes))
  }

  /// Appends a number in decimal.
  mutating func append(decimal value: UInt64) {
    var rest = value
    withUnsafeTemporaryAllocation(byteCount: 20, alignment: 1) { digits in
      var start = 20
      repeat {
        start -= 1
        digits[start] = 0x30 + UInt8(truncatingIfNeeded: rest % 10)
        rest /= 10
      } while rest != 0
      append(contentsOf: UnsafeRawBufferPointer(rebasing: digits[start..<20]))
    }
  }

  /// Appends a number in decimal, with a minus sign where it has one.
  mutating func append(decimal value: Int) {
    if value < 0 { append(UInt8(ascii: "-")) }
    append(decimal: UInt64(value.magnitude))
  }

  /// Appends the lowest digits of a number in lower-case hexadecimal, zeros in front included.
  mutating func append(hex value: UInt64, digits: Int = 16) {
    for digit in stride(from: digits - 1, through: 0, by: -1) {
      append(hexDigit(value, digit))
    }
  }

  /// Runs `body` with the bytes so far.
  borrowing func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    body(UnsafeRawBufferPointer(start: base, count: count))
  }

  /// Runs `body` with the bytes so far as a C string.
  mutating func withCString<Result>(_ body: (UnsafePointer<CChar>) -> Result) -> Result {
    reserve(1).storeBytes(of: 0, as: UInt8.self)
    return body(UnsafePointer(reserve(1).assumingMemoryBound(to: CChar.self) - count))
  }

  /// Makes room and returns where the next byte goes.
  private mutating func reserve(_ more: Int) -> UnsafeMutableRawPointer {
    if count + more > capacity || base == nil { grow(to: max(count + more, capacity * 2, 128)) }
    guard let base else { fatalError("unreachable: grow always sets the base") }
    return base + count
  }

  private mutating func grow(to size: Int) {
    guard let grown = realloc(base, size) else { fatalError("out of memory for an answer of \(size) bytes") }
    base = grown
    capacity = size
  }
}

/// One digit of a number in lower-case hexadecimal; digit 0 is the lowest.
func hexDigit(_ value: UInt64, _ digit: Int) -> UInt8 {
  let nibble = UInt8(truncatingIfNeeded: value >> UInt64(digit * 4)) & 0xF
  return nibble < 10 ? 0x30 + nibble : 0x57 + nibble
}
