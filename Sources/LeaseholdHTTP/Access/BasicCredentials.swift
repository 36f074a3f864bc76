import JSONText

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
      let text = Base64.decode(UnsafeBufferPointer(rebasing: header.dropFirst(6))),
      let colon = text.firstIndex(of: UInt8(ascii: ":"))
    else { return nil }
    password = Array(text[(colon + 1)...])
  }
}
