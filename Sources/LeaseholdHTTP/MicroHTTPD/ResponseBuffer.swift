import Glibc

/// Bytes of an answer, written once and handed to libmicrohttpd without a copy.
///
/// The memory comes from `malloc`, because libmicrohttpd frees it with `free`.
struct ResponseBuffer: ~Copyable, @unchecked Sendable {
  private(set) var base: UnsafeMutableRawPointer?
  /// Where the next byte goes, and where there is room for none: nowhere without memory.
  private var next: UnsafeMutablePointer<UInt8>?
  private var end: UnsafeMutablePointer<UInt8>?

  /// The number of bytes so far.
  var count: Int { Int(bitPattern: next) &- Int(bitPattern: base) }

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
  mutating func clear() { next = base?.assumingMemoryBound(to: UInt8.self) }

  /// Appends one byte.
  @inline(__always)
  mutating func append(_ byte: UInt8) {
    let text = reserve(1)
    text.pointee = byte
    next = text + 1
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
    let text = reserve(bytes.count)
    memcpy(text, source, bytes.count)
    next = text + bytes.count
  }

  /// Appends bytes.
  @inline(__always)
  mutating func append(contentsOf bytes: UnsafeBufferPointer<UInt8>) {
    append(contentsOf: UnsafeRawBufferPointer(bytes))
  }

  /// Appends a number in decimal.
  @inline(__always)
  mutating func append(decimal value: UInt64) {
    let text = reserve(20)
    next = text + writeDecimal(value, at: text)
  }

  /// Appends a number in decimal, with a minus sign where it has one; most have one digit.
  mutating func append(decimal value: Int) {
    if 0..<10 ~= value { return append(UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: value)) }
    if value < 0 { append(UInt8(ascii: "-")) }
    append(decimal: UInt64(value.magnitude))
  }

  /// Appends the lowest digits of a number in lower-case hexadecimal, zeros in front included.
  mutating func append(hex value: UInt64, digits: Int = 16) {
    let text = reserve(16)
    writeHexDigits(value << UInt64(64 - 4 * digits), at: text)
    next = text + digits
  }

  /// Appends exactly `length` bytes that `write` puts at the address it gets.
  @inline(__always)
  mutating func append(exactly length: Int, _ write: (UnsafeMutablePointer<UInt8>) -> Void) {
    let text = reserve(length)
    write(text)
    next = text + length
  }

  /// Runs `body` with the bytes so far.
  borrowing func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    body(UnsafeRawBufferPointer(start: base, count: count))
  }

  /// Runs `body` with the bytes so far as a C string.
  mutating func withCString<Result>(_ body: (UnsafePointer<CChar>) -> Result) -> Result {
    let text = reserve(1)
    text.pointee = 0
    return body(UnsafeRawPointer(text - count).assumingMemoryBound(to: CChar.self))
  }

  /// Makes room and returns where the next byte goes.
  @inline(__always)
  private mutating func reserve(_ more: Int) -> UnsafeMutablePointer<UInt8> {
    if Int(bitPattern: end) &- Int(bitPattern: next) < more { grow(to: max(count + more, capacity * 2, 128)) }
    // It is there once there is room.
    return next.unsafelyUnwrapped
  }

  private var capacity: Int { Int(bitPattern: end) &- Int(bitPattern: base) }

  @inline(never)
  private mutating func grow(to size: Int) {
    guard let grown = realloc(base, size) else { fatalError("out of memory for an answer of \(size) bytes") }
    let start = grown.assumingMemoryBound(to: UInt8.self)
    (base, next, end) = (grown, start + count, start + size)
  }
}

extension String {
  /// Runs `body` with its UTF-8: in place, as every string of this system has it.
  @inline(__always)
  func withBytes(_ body: (UnsafeBufferPointer<UInt8>) -> Void) {
    if utf8.withContiguousStorageIfAvailable(body) == nil { Array(utf8).withUnsafeBufferPointer(body) }
  }
}
