import Glibc
import Leasehold

/// Bytes of an answer, written once and handed to libmicrohttpd without a copy.
///
/// The memory comes from `malloc`, because libmicrohttpd frees it with `free`.
struct ResponseBuffer: ~Copyable, @unchecked Sendable {
  private(set) var base: UnsafeMutableRawPointer?
  /// The addresses where the next byte goes, and where there is room for none: 0 without memory.
  private var next = 0
  private var end = 0

  /// The number of bytes so far.
  var count: Int { next &- Int(bitPattern: base) }

  /// Makes an empty buffer.
  /// - Parameter capacity: Bytes to allocate at once; 0 allocates with the first append.
  init(capacity: Int = 0) {
    if capacity > 0 { grow(by: capacity) }
  }

  /// Makes a buffer of bytes that are there already.
  init(_ bytes: [UInt8]) {
    self.init(capacity: bytes.count)
    bytes.withUnsafeBytes { append(contentsOf: $0) }
  }

  deinit { free(base) }

  /// Gives the memory away; the taker frees it with `free`.
  consuming func take() -> (base: UnsafeMutableRawPointer?, count: Int) {
    let result = (base, count)
    discard self
    return result
  }

  /// Forgets the bytes and keeps the memory.
  mutating func clear() { next = Int(bitPattern: base) }

  /// Appends one byte.
  @inline(__always)
  mutating func append(_ byte: UInt8) {
    reserve(1).pointee = byte
    next &+= 1
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
    next &+= bytes.count
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
    next &+= writeDecimal(value, at: text)
  }

  /// Appends a number in decimal, with a minus sign where it has one; most have one digit.
  mutating func append(decimal value: Int) {
    if 0..<10 ~= value { return append(UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: value)) }
    if value < 0 { append(UInt8(ascii: "-")) }
    append(decimal: UInt64(value.magnitude))
  }

  /// Appends a text known at compile time, of 8...32 bytes, and a number behind it.
  ///
  /// A place that appends both has a third of the code that it has for one after the other, and an answer has dozens.
  @inline(__always)
  mutating func append(_ text: StaticString, decimal value: Int) {
    precondition(8...32 ~= text.utf8CodeUnitCount, "what is copied in two pieces has their length")
    append(text.utf8Start, text.utf8CodeUnitCount, decimal: value)
  }

  /// Appends the same text and a time in whole milliseconds.
  @inline(__always)
  mutating func append(_ text: StaticString, milliseconds span: TimeSpan) {
    precondition(8...32 ~= text.utf8CodeUnitCount, "what is copied in two pieces has their length")
    append(text.utf8Start, text.utf8CodeUnitCount, milliseconds: span)
  }

  @inline(never)
  private mutating func append(_ text: UnsafeRawPointer, _ count: Int, milliseconds span: TimeSpan) {
    append(text, count, decimal: Int(span.milliseconds))
  }

  /// Copies two pieces of 8 or 16 bytes, which overlap.
  @inline(never)
  private mutating func append(_ text: UnsafeRawPointer, _ count: Int, decimal value: Int) {
    let place = UnsafeMutableRawPointer(reserve(count))
    if count >= 16 {
      let (first, last) = (text.loadUnaligned(as: Pair.self), (text + count - 16).loadUnaligned(as: Pair.self))
      place.storeBytes(of: first, as: Pair.self)
      (place + count - 16).storeBytes(of: last, as: Pair.self)
    } else {
      let (first, last) = (text.loadUnaligned(as: UInt64.self), (text + count - 8).loadUnaligned(as: UInt64.self))
      place.storeBytes(of: first, as: UInt64.self)
      (place + count - 8).storeBytes(of: last, as: UInt64.self)
    }
    next &+= count
    append(decimal: value)
  }

  private typealias Pair = SIMD2<UInt64>

  /// Appends the lowest digits of a number in lower-case hexadecimal, zeros in front included.
  mutating func append(hex value: UInt64, digits: Int = 16) {
    writeHexDigits(value &<< UInt64(truncatingIfNeeded: 64 &- 4 &* digits), at: reserve(16))
    next &+= digits
  }

  /// Appends exactly `length` bytes that `write` puts at the address it gets.
  @inline(__always)
  mutating func append(exactly length: Int, _ write: (UnsafeMutablePointer<UInt8>) -> Void) {
    write(reserve(length))
    next &+= length
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
    if end &- next < more { grow(by: more) }
    // It is there once there is room.
    return UnsafeMutablePointer(bitPattern: next).unsafelyUnwrapped
  }

  /// Makes room for so many bytes more, out of line: it is inlined in no append, of which each answer has a hundred.
  @inline(never)
  private mutating func grow(by more: Int) {
    let size = base == nil ? more : max(count + more, (end - Int(bitPattern: base)) * 2, 128)
    guard let grown = base == nil ? malloc(size) : realloc(base, size) else {
      fatalError("out of memory for an answer of \(size) bytes")
    }
    let start = Int(bitPattern: grown)
    (base, next, end) = (grown, start + count, start + size)
  }
}

extension String {
  /// Runs `body` with its UTF-8: in place, as every string of this system has it.
  @inline(__always)
  func withBytes(_ body: (UnsafeBufferPointer<UInt8>) -> Void) {
    let isDone: Void? = utf8.withContiguousStorageIfAvailable(body)
    precondition(isDone != nil, "a string of this system is UTF-8")
  }
}
