import CGnuTLS
import LeaseholdHost

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
    let read = stride(from: 0, to: 64, by: 16).compactMap { hexadecimalNumber(digits[$0..<$0 + 16]) }
    guard read.count == 4 else { return nil }
    words = (read[0].bigEndian, read[1].bigEndian, read[2].bigEndian, read[3].bigEndian)
  }

  /// 64 hexadecimal digits in lower case.
  var hexadecimal: String {
    [words.0, words.1, words.2, words.3].map { $0.bigEndian.digits(16, radix: 16) }.joined()
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
