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

  /// Forgets the bytes and keeps the memory.
  mutating func clear() { count = 0 }

  /// Appends one byte.
  @inline(__always)
  mutating func append(_ byte: UInt8) {
    reserve(1).pointee = byte
    count += 1
  }

  /// Appends text known at compile time.
  @inline(__always)
  mutating func append(_ text: StaticString) {
    append(contentsOf: UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  /// Appends the UTF-8 of a string.
  mutating func append(_ text: String) {
    text.withBytes { append(contentsOf: $0) }
  }

  /// Appends bytes.
  @inline(__always)
  mutating func append(contentsOf bytes: UnsafeRawBufferPointer) {
    guard let source = bytes.baseAddress, !bytes.isEmpty else { return }
    memcpy(reserve(bytes.count), source, bytes.count)
    count += bytes.count
  }

  /// Appends bytes.
  @inline(__always)
  mutating func append(contentsOf bytes: UnsafeBufferPointer<UInt8>) {
    append(contentsOf: UnsafeRawBufferPointer(bytes))
  }

  /// Appends a number in decimal.
  mutating func append(decimal value: UInt64) {
    let start = reserve(20)
    count += writeDecimal(value, at: start)
  }

  /// Appends a number in decimal, with a minus sign where it has one; most have one digit.
  mutating func append(decimal value: Int) {
    if 0..<10 ~= value { return append(UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: value)) }
    if value < 0 { append(UInt8(ascii: "-")) }
    append(decimal: UInt64(value.magnitude))
  }

  /// Appends the lowest digits of a number in lower-case hexadecimal, zeros in front included.
  mutating func append(hex value: UInt64, digits: Int = 16) {
    writeHexDigits(value << UInt64(64 - 4 * digits), at: reserve(16))
    count += digits
  }

  /// Appends exactly `length` bytes that `write` puts at the address it gets.
  @inline(__always)
  mutating func append(exactly length: Int, _ write: (UnsafeMutablePointer<UInt8>) -> Void) {
    write(reserve(length))
    count += length
  }

  /// Runs `body` with the bytes so far.
  borrowing func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    body(UnsafeRawBufferPointer(start: base, count: count))
  }

  /// Runs `body` with the bytes so far as a C string.
  mutating func withCString<Result>(_ body: (UnsafePointer<CChar>) -> Result) -> Result {
    reserve(1).pointee = 0
    return body(UnsafeRawPointer(reserve(1) - count).assumingMemoryBound(to: CChar.self))
  }

  /// Makes room and returns where the next byte goes.
  @inline(__always)
  private mutating func reserve(_ more: Int) -> UnsafeMutablePointer<UInt8> {
    if count &+ more > capacity { grow(to: max(count + more, capacity * 2, 128)) }
    guard let base else { fatalError("unreachable: what is in use has memory") }
    return (base + count).assumingMemoryBound(to: UInt8.self)
  }

  @inline(never)
  private mutating func grow(to size: Int) {
    guard let grown = realloc(base, size) else { fatalError("out of memory for an answer of \(size) bytes") }
    base = grown
    capacity = size
  }
}

extension String {
  /// Runs `body` with its UTF-8: in place, as every string of this system has it.
  @inline(__always)
  func withBytes(_ body: (UnsafeBufferPointer<UInt8>) -> Void) {
    if utf8.withContiguousStorageIfAvailable(body) == nil { Array(utf8).withUnsafeBufferPointer(body) }
  }
}
