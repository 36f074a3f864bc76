extension TimeSpan {
  /// Reads `250ms`, `30s`, `1.5m`, `2h`, or a bare number of seconds; `nil` for anything else.
  ///
  /// Exact to the nanosecond, digits beyond are cut; a number too large for 292 years saturates.
  @inlinable
  public init?<Bytes: Collection>(text bytes: Bytes) where Bytes.Element == UInt8 {
    var whole: Int64 = 0
    var fraction: Int64 = 0
    var scale: Int64 = 1
    var digits = 0
    var index = bytes.startIndex
    while index < bytes.endIndex, let digit = Self.digit(bytes[index]) {
      whole = Self.saturating(whole, digit)
      digits += 1
      bytes.formIndex(after: &index)
    }
    guard digits > 0 else { return nil }
    if index < bytes.endIndex, bytes[index] == UInt8(ascii: ".") {
      bytes.formIndex(after: &index)
      digits = 0
      while index < bytes.endIndex, let digit = Self.digit(bytes[index]) {
        if scale < 1_000_000_000 { (fraction, scale) = (fraction * 10 + digit, scale * 10) }
        digits += 1
        bytes.formIndex(after: &index)
      }
      guard digits > 0 else { return nil }
    }
    guard let unit = Self.unit(bytes[index...]) else { return nil }
    let (product, overflow) = whole.multipliedReportingOverflow(by: unit)
    let part = fraction == 0 ? 0 : scale.dividingFullWidth(fraction.multipliedFullWidth(by: unit)).quotient
    let (sum, carry) = product.addingReportingOverflow(part)
    self.init(nanoseconds: overflow || carry ? .max : sum)
  }

  @inlinable
  static func digit(_ byte: UInt8) -> Int64? {
    byte >= 0x30 && byte <= 0x39 ? Int64(byte - 0x30) : nil
  }

  @inlinable
  static func saturating(_ value: Int64, _ digit: Int64) -> Int64 {
    let (product, overflow) = value.multipliedReportingOverflow(by: 10)
    let (sum, carry) = product.addingReportingOverflow(digit)
    return overflow || carry ? .max : sum
  }

  /// Nanoseconds of a unit.
  @inlinable
  static func unit(_ suffix: some Collection<UInt8>) -> Int64? {
    switch suffix.count {
    case 0: return 1_000_000_000
    case 1:
      switch suffix.first {
      case UInt8(ascii: "s"): return 1_000_000_000
      case UInt8(ascii: "m"): return 60_000_000_000
      case UInt8(ascii: "h"): return 3_600_000_000_000
      default: return nil
      }
    default: return suffix.elementsEqual("ms".utf8) ? 1_000_000 : nil
    }
  }

  /// `250ms`, `30s`, `5m`, `2h`: the largest unit that says it in whole numbers.
  public var text: String {
    let milliseconds = milliseconds
    if milliseconds == 0 { return "0s" }
    if milliseconds % 3_600_000 == 0 { return "\(milliseconds / 3_600_000)h" }
    if milliseconds % 60_000 == 0 { return "\(milliseconds / 60_000)m" }
    if milliseconds % 1000 == 0 { return "\(milliseconds / 1000)s" }
    return "\(milliseconds)ms"
  }
}
