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
