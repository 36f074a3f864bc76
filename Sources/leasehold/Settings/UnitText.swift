/// Durations as users write them: `250ms`, `30s`, `1.5m`, `2h`; a bare number is seconds.
enum DurationText {
  private static let units: [(suffix: String, nanoseconds: Int128)] = [
    ("ms", 1_000_000), ("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000),
  ]

  /// Reads digits, perhaps a point and more digits, perhaps a unit; `nil` for anything else.
  ///
  /// What is finer than a nanosecond is cut off.
  static func parse(_ text: String) -> Duration? {
    let unit = units.first { text.hasSuffix($0.suffix) }
    let number = text.dropLast(unit?.suffix.count ?? 0)
    let parts = number.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    guard (1...2).contains(parts.count), parts.allSatisfy(isDigits), let whole = Int128(parts[0]) else { return nil }
    let nanoseconds = unit?.nanoseconds ?? 1_000_000_000
    var total = whole * nanoseconds
    if parts.count == 2, let fraction = Int128(parts[1]) {
      total += fraction * nanoseconds / (0..<parts[1].count).reduce(Int128(1)) { power, _ in power * 10 }
    }
    guard let count = Int64(exactly: total) else { return nil }
    return .nanoseconds(count)
  }

  /// Writes a duration with the largest unit that needs no point; below a millisecond it is `0s`.
  static func text(_ duration: Duration) -> String {
    let (seconds, attoseconds) = duration.components
    let milliseconds = seconds * 1000 + attoseconds / 1_000_000_000_000_000
    return switch milliseconds {
    case 0: "0s"
    case _ where milliseconds % 3_600_000 == 0: "\(milliseconds / 3_600_000)h"
    case _ where milliseconds % 60_000 == 0 && milliseconds > 60_000: "\(milliseconds / 60_000)m"
    case _ where milliseconds % 1000 == 0: "\(milliseconds / 1000)s"
    default: "\(milliseconds)ms"
    }
  }

  /// At most 15 digits, so that no product overflows.
  private static func isDigits(_ text: Substring) -> Bool {
    !text.isEmpty && text.count <= 15 && text.allSatisfy(\.isASCIIDigit)
  }
}

/// Sizes as users write them: `16KiB`, `1MiB`, `1GiB` or plain bytes.
enum SizeText {
  private static let units: [(suffix: String, bytes: Int)] = [
    ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10),
  ]

  /// Reads digits and perhaps a unit; `nil` for anything else.
  static func parse(_ text: String) -> Int? {
    let unit = units.first { text.hasSuffix($0.suffix) }
    let digits = text.dropLast(unit?.suffix.count ?? 0)
    guard !digits.isEmpty, digits.count <= 15, digits.allSatisfy(\.isASCIIDigit), let number = Int(digits) else {
      return nil
    }
    let (bytes, overflow) = number.multipliedReportingOverflow(by: unit?.bytes ?? 1)
    return overflow ? nil : bytes
  }

  /// Writes a size with the largest unit that divides it.
  static func text(_ bytes: Int) -> String {
    guard bytes != 0, let unit = units.first(where: { bytes % $0.bytes == 0 }) else { return String(bytes) }
    return "\(bytes / unit.bytes)\(unit.suffix)"
  }
}
