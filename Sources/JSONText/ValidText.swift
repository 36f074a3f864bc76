extension String {
  /// Makes text of bytes that are UTF-8; `nil` when they are not.
  ///
  /// `String(validating:as:)` looks its generic types up at run time, 100 ns a call; nearly all names are ASCII, and
  /// those need no validation.
  @inlinable
  public init?(utf8Bytes bytes: UnsafeBufferPointer<UInt8>) {
    var union: UInt8 = 0
    for byte in bytes { union |= byte }
    if union < 0x80 {
      self = String(decoding: bytes, as: UTF8.self)
    } else {
      guard let text = String(validating: bytes, as: UTF8.self) else { return nil }
      self = text
    }
  }
}
