extension UInt8 {
  /// True for an ASCII letter or digit.
  package var isLetterOrDigit: Bool {
    switch self {
    case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
    default: false
    }
  }
}

extension String {
  /// The text with all its bytes percent-encoded (RFC 3986) but letters, digits and some others.
  package func percentEncoded(keeping others: String) -> String {
    func isKept(_ byte: UInt8) -> Bool { byte.isLetterOrDigit || others.utf8.contains(byte) }
    if utf8.allSatisfy(isKept) { return self }
    return utf8.reduce(into: "") { text, byte in
      if isKept(byte) {
        text.unicodeScalars.append(Unicode.Scalar(byte))
      } else {
        text += (byte < 0x10 ? "%0" : "%") + String(byte, radix: 16, uppercase: true)
      }
    }
  }
}
