/// Follows the head of a request line by line (RFC 9112, 2.2, 3 and 5), to find what libmicrohttpd reads too leniently.
///
/// libmicrohttpd 0.9.75 takes LF alone as the end of a line, cuts a value at a NUL, joins a folded line to the *name*
/// before it, and hands over names with blanks. Where a proxy before it reads the same bytes in another way, one of the
/// two takes the body of a request for the next request. But libmicrohttpd reads in place, with a NUL for each byte
/// that ends a word: so every line must begin two bytes, CR and LF, behind the one before. What does not is refused.
///
/// One flaw leaves no trace: a line of one byte, colon or NUL, and LF alone, at which libmicrohttpd ends the head. A
/// proxy that lets it pass would have to take three things that RFC 9112 forbids.
struct HeadLines {
  /// The first flaw.
  private(set) var flaw: Exchange.Defect?
  /// Where the next line must begin.
  private var next: UInt = 0

  /// Looks at the request line: its three words, one blank between them.
  mutating func begin(method: UInt, methodSize: Int, target: UInt, targetSize: Int, version: UInt) {
    flaw = nil
    if target != method + UInt(methodSize) + 1 || version != target + UInt(targetSize) + 1 {
      flaw = .malformedRequestLine
    }
    // Its text, "HTTP/1.1", always has the same size.
    next = version + 8 + Self.lineEnd
  }

  /// Looks at a field line.
  mutating func follow(_ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>) {
    guard flaw == nil else { return }
    let (start, valueStart) = (UInt(bitPattern: name.baseAddress), UInt(bitPattern: value.baseAddress))
    if start != next {
      flaw = start == next &- 1 ? .bareLineFeed : .brokenLine
    } else if valueStart <= start + UInt(name.count) {
      flaw = .brokenLine
    } else if !isToken(name) {
      flaw = .badFieldName
    } else if !isFieldValue(value) {
      flaw = .badFieldValue
    }
    next = valueStart + UInt(value.count) + Self.lineEnd
  }

  /// Looks at the empty line, behind which the head ends.
  mutating func finish(at end: UInt) {
    guard flaw == nil, end != next + Self.lineEnd else { return }
    flaw = end < next + Self.lineEnd ? .bareLineFeed : .brokenLine
  }

  /// CR and LF.
  private static let lineEnd: UInt = 2
}

/// Whether the bytes are a token (RFC 9110, 5.6.2): what a method or the name of a field is made of.
func isToken(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
  for byte in bytes where !tokenBytes.contains(byte) { return false }
  return !bytes.isEmpty
}

/// Whether the bytes may be the value of a field (RFC 9110, 5.5): no controls but the tab.
func isFieldValue(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
  for byte in bytes where byte < 0x20 && byte != 0x09 || byte == 0x7f { return false }
  return true
}

/// Whether the bytes are a host with or without a port (RFC 3986, 3.2): what Host has, and a target in absolute form.
func isHostAndPort(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
  var index = 0
  if bytes.first == UInt8(ascii: "[") {
    index = 1
    while index < bytes.count, bytes[index] != UInt8(ascii: "]") {
      guard hostBytes.contains(bytes[index]) || bytes[index] == UInt8(ascii: ":") else { return false }
      index += 1
    }
    guard index > 1, index < bytes.count else { return false }
    index += 1
  } else {
    while index < bytes.count, hostBytes.contains(bytes[index]) { index += 1 }
  }
  guard index < bytes.count else { return true }
  guard bytes[index] == UInt8(ascii: ":") else { return false }
  return bytes[(index + 1)...].allSatisfy { $0 >= 0x30 && $0 <= 0x39 }
}

private let tokenBytes = ASCIISet("!#$%&'*+-.^_`|~")
private let hostBytes = ASCIISet("-._~!$&'()*+,;=%")

/// Letters, digits, and some other bytes of ASCII.
private struct ASCIISet {
  private let low: UInt64
  private let high: UInt64

  init(_ more: StaticString) {
    var (low, high): (UInt64, UInt64) = (0, 0)
    func note(_ byte: UInt8) {
      if byte < 64 { low |= 1 << UInt64(byte) } else { high |= 1 << UInt64(byte - 64) }
    }
    for byte in UInt8(ascii: "0")...UInt8(ascii: "9") { note(byte) }
    for byte in UInt8(ascii: "A")...UInt8(ascii: "Z") {
      note(byte)
      note(byte | 0x20)
    }
    for index in 0..<more.utf8CodeUnitCount { note(more.utf8Start[index]) }
    (self.low, self.high) = (low, high)
  }

  func contains(_ byte: UInt8) -> Bool {
    byte < 128 && (byte < 64 ? low : high) >> UInt64(byte & 63) & 1 == 1
  }
}
