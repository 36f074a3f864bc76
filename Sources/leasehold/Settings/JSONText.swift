/// JSON that is written: by the log and by `--print-config --json`.
enum JSONText {
  /// Appends a string with its quotes; what does not show, such as controls and marks of direction, is escaped.
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
      case _ where scalar.isShown: line.unicodeScalars.append(scalar)
      default: scalar.appendEscape(to: &line)
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
