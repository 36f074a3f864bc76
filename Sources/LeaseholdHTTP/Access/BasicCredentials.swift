/// The name and the password of a header Authorization (RFC 7617).
struct BasicCredentials {
  /// The bytes behind the first colon.
  let password: [UInt8]

  /// The longest header that is looked at, in bytes.
  private static let longest = 1024

  /// Reads a header; `nil` for another scheme, and for what is no base64 (RFC 4648, 4) of a name, a colon and more.
  init?(_ header: UnsafeBufferPointer<UInt8>) {
    guard header.count <= Self.longest,
      equalsIgnoringCase(UnsafeBufferPointer(rebasing: header.prefix(6)), "basic "),
      let text = Self.decoded(header.dropFirst(6)), let colon = text.firstIndex(of: UInt8(ascii: ":"))
    else { return nil }
    password = Array(text[(colon + 1)...])
  }

  private static func decoded(_ text: some Collection<UInt8>) -> [UInt8]? {
    guard !text.isEmpty, text.count % 4 == 0 else { return nil }
    var bytes: [UInt8] = []
    var (bits, count, padding) = (0, 0, 0)
    for byte in text {
      guard let value = digit(byte), padding == 0 || byte == UInt8(ascii: "=") else { return nil }
      if byte == UInt8(ascii: "=") { padding += 1 }
      (bits, count) = (bits << 6 | value, count + 1)
      guard count == 4 else { continue }
      bytes += [UInt8(bits >> 16), UInt8(bits >> 8 & 255), UInt8(bits & 255)]
      (bits, count) = (0, 0)
    }
    guard padding <= 2 else { return nil }
    return Array(bytes.dropLast(padding))
  }

  /// The value of a digit; 0 for padding.
  private static func digit(_ byte: UInt8) -> Int? {
    switch byte {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"): Int(byte) - 0x41
    case UInt8(ascii: "a")...UInt8(ascii: "z"): Int(byte) - 0x61 + 26
    case UInt8(ascii: "0")...UInt8(ascii: "9"): Int(byte) - 0x30 + 52
    case UInt8(ascii: "+"): 62
    case UInt8(ascii: "/"): 63
    case UInt8(ascii: "="): 0
    default: nil
    }
  }
}
