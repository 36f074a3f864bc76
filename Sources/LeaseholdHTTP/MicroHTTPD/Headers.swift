/// A request header that Leasehold reads; all others are skipped in the one pass over them.
enum HeaderName: Int, CaseIterable, Sendable {
  case host, origin, secFetchSite, contentType, contentLength, transferEncoding, accept, prefer
  case idempotencyKey, xRequestID, via, forwarded, xForwardedFor, authorization, ifMatch, ifNoneMatch, expect
  case connection, lastEventID, traceparent

  /// Recognizes a header by length and first letter, then compares the one candidate, ignoring case.
  init?(_ key: UnsafePointer<UInt8>, count: Int) {
    guard count > 0 else { return nil }
    let candidate: HeaderName
    let text: StaticString
    switch (count, key[0] | 0x20) {
    case (3, UInt8(ascii: "v")): (candidate, text) = (.via, "via")
    case (4, UInt8(ascii: "h")): (candidate, text) = (.host, "host")
    case (6, UInt8(ascii: "a")): (candidate, text) = (.accept, "accept")
    case (6, UInt8(ascii: "o")): (candidate, text) = (.origin, "origin")
    case (6, UInt8(ascii: "p")): (candidate, text) = (.prefer, "prefer")
    case (6, UInt8(ascii: "e")): (candidate, text) = (.expect, "expect")
    case (8, UInt8(ascii: "i")): (candidate, text) = (.ifMatch, "if-match")
    case (9, UInt8(ascii: "f")): (candidate, text) = (.forwarded, "forwarded")
    case (10, UInt8(ascii: "c")): (candidate, text) = (.connection, "connection")
    case (11, UInt8(ascii: "t")): (candidate, text) = (.traceparent, "traceparent")
    case (12, UInt8(ascii: "c")): (candidate, text) = (.contentType, "content-type")
    case (12, UInt8(ascii: "x")): (candidate, text) = (.xRequestID, "x-request-id")
    case (13, UInt8(ascii: "l")): (candidate, text) = (.lastEventID, "last-event-id")
    case (13, UInt8(ascii: "a")): (candidate, text) = (.authorization, "authorization")
    case (13, UInt8(ascii: "i")): (candidate, text) = (.ifNoneMatch, "if-none-match")
    case (14, UInt8(ascii: "c")): (candidate, text) = (.contentLength, "content-length")
    case (14, UInt8(ascii: "s")): (candidate, text) = (.secFetchSite, "sec-fetch-site")
    case (15, UInt8(ascii: "i")): (candidate, text) = (.idempotencyKey, "idempotency-key")
    case (15, UInt8(ascii: "x")): (candidate, text) = (.xForwardedFor, "x-forwarded-for")
    case (17, UInt8(ascii: "t")): (candidate, text) = (.transferEncoding, "transfer-encoding")
    default: return nil
    }
    guard equalsIgnoringCase(UnsafeBufferPointer(start: key, count: count), text) else { return nil }
    self = candidate
  }
}

/// The recognized headers of one request, as slices of libmicrohttpd's memory; the first of several counts.
///
/// The slices lie in memory of the connection, which has one request at a time: a table of 256 bytes inside a class
/// would be copied by every look at it.
struct HeaderTable {
  private var present: UInt32 = 0
  private var repeated: UInt32 = 0
  /// The form of the lines that the headers stand on.
  var lines = HeadLines()
  private let slices: UnsafeMutablePointer<UnsafeBufferPointer<UInt8>>

  /// The number of slices that the memory must hold.
  static let capacity = HeaderName.allCases.count

  /// A table without headers over the connection's memory.
  init(over slices: UnsafeMutablePointer<UnsafeBufferPointer<UInt8>>) { self.slices = slices }

  /// The header's value without white space around it, or `nil`.
  @inline(__always)
  subscript(name: HeaderName) -> UnsafeBufferPointer<UInt8>? {
    present & (1 << UInt32(name.rawValue)) == 0 ? nil : slices[name.rawValue]
  }

  /// Returns true when the request has the header more than once.
  func isRepeated(_ name: HeaderName) -> Bool { repeated & (1 << UInt32(name.rawValue)) != 0 }

  /// Takes the next line of the head.
  mutating func take(_ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>) {
    let known = name.baseAddress.flatMap { HeaderName($0, count: name.count) }
    lines.follow(name, isKnown: known != nil, value)
    if let known { note(known, value) }
  }

  /// Puts the authority of a target in absolute form in the place of Host (RFC 9112, 3.2.2).
  mutating func replaceHost(_ authority: UnsafeBufferPointer<UInt8>) {
    present |= 1 << UInt32(HeaderName.host.rawValue)
    slices[HeaderName.host.rawValue] = authority
  }

  /// Notes a header; a later one of the same name only counts as a repetition.
  private mutating func note(_ name: HeaderName, _ value: UnsafeBufferPointer<UInt8>) {
    let bit: UInt32 = 1 << UInt32(name.rawValue)
    if present & bit != 0 {
      repeated |= bit
      return
    }
    present |= bit
    var count = value.count
    while count > 0, value[count - 1] == 0x20 || value[count - 1] == 0x09 { count -= 1 }
    slices[name.rawValue] = UnsafeBufferPointer(start: value.baseAddress, count: count)
  }

  /// Forgets everything, because the memory behind the slices is going away.
  mutating func forget() {
    present = 0
    repeated = 0
  }
}

/// Compares with a lower-case name made of letters, digits and hyphens: only where the name has a letter may bytes
/// differ, in the bit of the case.
func equalsIgnoringCase(_ bytes: UnsafeBufferPointer<UInt8>, _ lowercase: StaticString) -> Bool {
  let count = bytes.count
  guard count == lowercase.utf8CodeUnitCount else { return false }
  let (raw, name) = (UnsafeRawBufferPointer(bytes), UnsafeRawPointer(lowercase.utf8Start))
  var offset = 0
  while offset &+ 4 < count {
    let four = name.loadUnaligned(fromByteOffset: offset, as: UInt32.self)
    let difference = raw.loadUnaligned(fromByteOffset: offset, as: UInt32.self) ^ four
    if difference & ~(four >> 1 & 0x2020_2020) != 0 { return false }
    offset &+= 4
  }
  while offset < count {
    let one = lowercase.utf8Start[offset]
    if (bytes[offset] ^ one) & ~(one >> 1 & 0x20) != 0 { return false }
    offset &+= 1
  }
  return true
}

/// Reads a decimal number without sign; `nil` for anything else and for what 64 bits cannot hold.
func decimalNumber(_ bytes: UnsafeBufferPointer<UInt8>) -> UInt64? {
  guard !bytes.isEmpty else { return nil }
  var value: UInt64 = 0
  for byte in bytes {
    guard byte >= 0x30, byte <= 0x39 else { return nil }
    let (scaled, tooBig) = value.multipliedReportingOverflow(by: 10)
    let (sum, carry) = scaled.addingReportingOverflow(UInt64(byte - 0x30))
    guard !tooBig, !carry else { return nil }
    value = sum
  }
  return value
}

/// Reads at most 16 hexadecimal digits in lower case; `nil` for anything else.
func hexadecimalNumber(_ digits: some Collection<UInt8>) -> UInt64? {
  var number: UInt64 = 0
  for digit in digits {
    switch digit {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): number = number << 4 | UInt64(digit - UInt8(ascii: "0"))
    case UInt8(ascii: "a")...UInt8(ascii: "f"): number = number << 4 | UInt64(digit - UInt8(ascii: "a") + 10)
    default: return nil
    }
  }
  return number
}
