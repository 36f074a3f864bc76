/// JSON that is written: by the log and by `--print-config --json`.
enum JSONText {
  /// Appends a string with its quotes; control characters, also those from 7F to 9F, are escaped.
  static func append(_ string: String, to line: inout String) {
    line += "\""
    appendEscaped(string, escapingQuotes: true, to: &line)
    line += "\""
  }

  /// Appends a string so that it stays on one line and a terminal takes no orders from it.
  static func appendEscaped(_ string: String, escapingQuotes: Bool, to line: inout String) {
    for scalar in string.unicodeScalars {
      switch scalar {
      case "\n": line += "\\n"
      case "\r": line += "\\r"
      case "\t": line += "\\t"
      case "\"" where escapingQuotes: line += "\\\""
      case "\\" where escapingQuotes: line += "\\\\"
      case "\0"..<" ", "\u{7F}"..."\u{9F}", "\u{2028}", "\u{2029}":
        let digits = String(scalar.value, radix: 16)
        line += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: line.unicodeScalars.append(scalar)
      }
    }
  }

  /// A string with its quotes.
  static func quoted(_ string: String) -> String {
    var text = ""
    append(string, to: &text)
    return text
  }
}
