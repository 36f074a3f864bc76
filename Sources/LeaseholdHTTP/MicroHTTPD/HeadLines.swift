import Leasehold

/// Follows the head of a request line by line (RFC 9112, 2.2, 3 and 5), to find what libmicrohttpd reads too leniently.
///
/// libmicrohttpd 0.9.75 takes LF alone as the end of a line, cuts a value at a NUL, joins a folded line to the *name*
/// before it, and hands over names with blanks. Where a proxy before it reads the same bytes in another way, one of the
/// two takes the body of a request for the next request. But libmicrohttpd reads in place, with a NUL for each byte
/// that ends a word: so every line must begin two bytes, CR and LF, behind the one before. What does not is refused.
/// From 1.0 on it checks lines by itself (`MHD_OPTION_CLIENT_DISCIPLINE_LVL`) and cuts blanks behind values: there only
/// names and values are looked at.
///
/// One flaw leaves no trace: NUL and LF where CR and LF belong, and a line of nothing but a colon and LF. A proxy that
/// lets it pass would have to take what RFC 9112 forbids twice.
struct HeadLines {
  /// The first flaw.
  private(set) var flaw: LeaseholdError?
  /// Where the next line must begin; 0 where places tell nothing.
  private var next: UInt = 0

  private static let placesTell = libmicrohttpdVersion().utf8.starts(with: "0.".utf8)

  /// Looks at the request line: its three words, one blank between them.
  mutating func begin(method: UInt, methodSize: Int, target: UInt, targetSize: Int, version: UInt) {
    (flaw, next) = (nil, 0)
    guard Self.placesTell else { return }
    if target != method + UInt(methodSize) + 1 || version != target + UInt(targetSize) + 1 {
      flaw = .malformedRequestLine
    }
    // Its text, "HTTP/1.1", always has the same size.
    next = version + 8 + Self.lineEnd
  }

  /// Looks at a field line; a known name was looked at when it was told from others.
  mutating func follow(
    _ name: UnsafeBufferPointer<UInt8>, isKnown: Bool = false, _ value: UnsafeBufferPointer<UInt8>
  ) {
    guard flaw == nil else { return }
    let (start, valueStart) = (UInt(bitPattern: name.baseAddress), UInt(bitPattern: value.baseAddress))
    if next != 0, start != next {
      flaw = start == next &- 1 ? .bareLineFeed : .brokenLine
    } else if valueStart <= start + UInt(name.count) {
      flaw = .brokenLine
    } else if !isKnown, !isToken(name) {
      flaw = .badFieldName
    } else if !isFieldValue(value) {
      flaw = .badFieldValue
    }
    if next != 0 { next = valueStart + UInt(value.count) + Self.lineEnd }
  }

  /// Looks at the empty line, behind which the head ends.
  mutating func finish(at end: UInt) {
    guard flaw == nil, next != 0, end != next + Self.lineEnd else { return }
    flaw = end < next + Self.lineEnd ? .bareLineFeed : .brokenLine
  }

  /// CR and LF.
  private static let lineEnd: UInt = 2
}

/// Returns true when the bytes are a token (RFC 9110, 5.6.2): what a method or the name of a field is made of.
func isToken(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
  for byte in bytes where !ASCIISet.token.contains(byte) { return false }
  return !bytes.isEmpty
}

/// Returns true when the bytes may be the value of a field (RFC 9110, 5.5): no controls but the tab.
func isFieldValue(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
  if UnsafeRawBufferPointer(bytes).isPlainASCII() { return true }
  for byte in bytes where byte < 0x20 && byte != 0x09 || byte == 0x7f { return false }
  return true
}

/// Returns true when the bytes are a host with or without a port (RFC 3986, 3.2): what Host has, and a target in
/// absolute form.
func isHostAndPort(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
  var index = 0
  if bytes.first == UInt8(ascii: "[") {
    index = 1
    while index < bytes.count, bytes[index] != UInt8(ascii: "]") {
      guard ASCIISet.host.contains(bytes[index]) || bytes[index] == UInt8(ascii: ":") else { return false }
      index += 1
    }
    guard index > 1, index < bytes.count else { return false }
    index += 1
  } else {
    while index < bytes.count, ASCIISet.host.contains(bytes[index]) { index += 1 }
  }
  guard index < bytes.count else { return true }
  guard bytes[index] == UInt8(ascii: ":") else { return false }
  return bytes[(index + 1)...].allSatisfy { $0 >= 0x30 && $0 <= 0x39 }
}

/// Some bytes of ASCII, one bit each.
private struct ASCIISet {
  let low: UInt64
  let high: UInt64

  // Letters, digits, and !#$%&'*+-.^_`|~
  static var token: ASCIISet { ASCIISet(low: 0x03ff_6cfa_0000_0000, high: 0x57ff_ffff_c7ff_fffe) }
  // Letters, digits, and -._~!$&'()*+,;=%
  static var host: ASCIISet { ASCIISet(low: 0x2bff_7ff2_0000_0000, high: 0x47ff_fffe_87ff_fffe) }

  func contains(_ byte: UInt8) -> Bool {
    byte < 128 && (byte < 64 ? low : high) >> UInt64(byte & 63) & 1 == 1
  }
}
