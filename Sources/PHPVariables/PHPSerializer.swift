/// Writes what PHP's `serialize()` writes, byte for byte.
public enum PHPSerializer {
  /// The text of a value.
  ///
  /// The corresponding PHP function is `serialize`, with `serialize_precision` -1.
  public static func serialize(_ value: PHPValue) -> [UInt8] {
    var text: [UInt8] = []
    append(value, to: &text)
    return text
  }

  private static func append(_ value: PHPValue, to text: inout [UInt8]) {
    switch value {
    case .null: text += "N;".utf8
    case .bool(let flag): text += flag ? "b:1;".utf8 : "b:0;".utf8
    case .int(let number): append(number, to: &text)
    case .double(let number):
      text += "d:".utf8
      text += doubleText(number).utf8
      text.append(UInt8(ascii: ";"))
    case .string(let bytes): append(bytes, to: &text)
    case .array(let elements):
      text += "a:\(elements.count):{".utf8
      for element in elements {
        switch element.key {
        case .int(let number): append(number, to: &text)
        case .string(let bytes): append(bytes, to: &text)
        }
        append(element.value, to: &text)
      }
      text.append(UInt8(ascii: "}"))
    case .object(_, let opaque), .reference(let opaque): text += opaque
    }
  }

  private static func append(_ number: Int64, to text: inout [UInt8]) { text += "i:\(number);".utf8 }

  private static func append(_ bytes: [UInt8], to text: inout [UInt8]) {
    text += "s:\(bytes.count):\"".utf8
    text += bytes
    text += "\";".utf8
  }

  /// A float as PHP prints it: the shortest digits that read back, plain from 1e-4 to below 1e17, else `1.0E+17`.
  ///
  /// The corresponding function of PHP's source is `smart_str_append_double`.
  static func doubleText(_ number: Double) -> String {
    if number.isNaN { return "NAN" }
    let sign = number.sign == .minus ? "-" : ""
    if number.isInfinite { return sign + "INF" }
    if number == 0 { return sign + "0" }
    let (digits, point) = decimal(number.magnitude)
    // The number is 0.DIGITS times ten to the `point`.
    if point < -3 || point > 17 {
      let exponent = point - 1
      let rest = digits.count > 1 ? digits.dropFirst() : "0"
      return "\(sign)\(digits.prefix(1)).\(rest)E\(exponent < 0 ? "-" : "+")\(exponent.magnitude)"
    }
    if point <= 0 { return sign + "0." + String(repeating: "0", count: -point) + digits }
    if digits.count <= point { return sign + digits + String(repeating: "0", count: point - digits.count) }
    return "\(sign)\(digits.prefix(point)).\(digits.dropFirst(point))"
  }

  /// The shortest digits that read back, without zeros at either end, and where the point is.
  private static func decimal(_ number: Double) -> (digits: String, point: Int) {
    let parts = number.description.split(separator: "e")
    var digits = ""
    var point: Int?
    for character in parts[0] {
      if character == "." { point = digits.count } else { digits.append(character) }
    }
    var position = (point ?? digits.count) + (parts.count > 1 ? Int(parts[1]) ?? 0 : 0)
    let leading = digits.prefix { $0 == "0" }.count
    digits.removeFirst(leading)
    position -= leading
    while digits.last == "0" { digits.removeLast() }
    return (digits, position)
  }
}
