import CGnuTLS

/// A SHA-256 digest of 32 bytes, as four words.
struct SHA256: Equatable, Sendable {
  private let words: (UInt64, UInt64, UInt64, UInt64)

  /// The digest of some bytes.
  ///
  /// `nil` when the library refuses, which it does only where SHA-256 is switched off.
  ///
  /// The corresponding C function is `gnutls_hash_fast`.
  init?(_ bytes: UnsafeRawBufferPointer) {
    var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
    let status = withUnsafeMutableBytes(of: &words) {
      gnutls_hash_fast(GNUTLS_DIG_SHA256, bytes.baseAddress, bytes.count, $0.baseAddress)
    }
    guard status == 0 else { return nil }
    self.words = words
  }

  /// Reads 64 hexadecimal digits in lower case.
  init?(hexadecimal text: some StringProtocol) {
    let digits = Array(text.utf8)
    guard digits.count == 64 else { return nil }
    var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
    let isRead = withUnsafeMutableBytes(of: &words) { bytes in
      for index in 0..<32 {
        guard let high = Self.nibble(digits[2 * index]), let low = Self.nibble(digits[2 * index + 1]) else {
          return false
        }
        bytes[index] = high << 4 | low
      }
      return true
    }
    guard isRead else { return nil }
    self.words = words
  }

  private static func nibble(_ digit: UInt8) -> UInt8? {
    switch digit {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
    default: nil
    }
  }

  /// 64 hexadecimal digits in lower case.
  var hexadecimal: String {
    withUnsafeBytes(of: words) { bytes in
      bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
  }

  /// Its 32 bytes.
  func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result { withUnsafeBytes(of: words, body) }

  /// Where to look it up: the first eight bytes.
  var prefix: UInt64 { words.0 }

  /// Compares all 32 bytes, however early they differ.
  static func == (left: SHA256, right: SHA256) -> Bool {
    let (one, other) = (left.words, right.words)
    let difference = (one.0 ^ other.0) | (one.1 ^ other.1) | (one.2 ^ other.2) | (one.3 ^ other.3)
    return difference == 0
  }
}
