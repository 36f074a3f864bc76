internal import LeaseholdHost

/// Text of others as a person may see it: what would move a cursor, turn the direction of writing, or not be seen at
/// all is shown by its number.
enum VisibleText {
  /// The text with everything that does not show written as `\u{202e}`.
  ///
  /// - Parameter keepingLines: Whether line ends are the text's own.
  static func of(_ text: String, keepingLines: Bool = false) -> String {
    var visible = ""
    visible.reserveCapacity(text.utf8.count)
    for scalar in text.unicodeScalars {
      if scalar.isShown || (keepingLines && scalar == "\n") {
        visible.unicodeScalars.append(scalar)
      } else {
        visible += "\\u{" + String(scalar.value, radix: 16) + "}"
      }
    }
    return visible
  }

  /// JSON, which stays what it is: what does not show can only stand in its texts, where an escape means the same.
  static func ofJSON(_ json: String) -> String {
    guard json.unicodeScalars.contains(where: { !$0.isShown && $0.value > 0x20 }) else { return json }
    var visible = ""
    for scalar in json.unicodeScalars {
      if scalar.isShown || scalar.value < 0x20 {
        visible.unicodeScalars.append(scalar)
      } else {
        scalar.appendEscape(to: &visible)
      }
    }
    return visible
  }

  /// A text as JSON, in quotes; a terminal takes no orders from it, and a log keeps it on one line.
  static func quoted(_ text: String) -> String { "\"" + escaped(text, withQuotes: true) + "\"" }

  /// A text as JSON escapes it, and what does not show, such as controls and marks of direction, too.
  ///
  /// - Parameter withQuotes: Whether quotes and backslashes are escaped.
  static func escaped(_ text: String, withQuotes: Bool) -> String {
    var escaped = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\n": escaped += "\\n"
      case "\r": escaped += "\\r"
      case "\t": escaped += "\\t"
      case "\"" where withQuotes: escaped += "\\\""
      case "\\" where withQuotes: escaped += "\\\\"
      case _ where scalar.isShown: escaped.unicodeScalars.append(scalar)
      default: scalar.appendEscape(to: &escaped)
      }
    }
    return escaped
  }
}

extension Unicode.Scalar {
  /// True when it is seen as itself: no control (Cc), no format character (Cf), and no separator but the blank.
  var isShown: Bool {
    if value < 0x7f { return value >= 0x20 }
    if value < 0xa0 { return false }
    return switch properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .spaceSeparator: false
    default: true
    }
  }

  /// Appends it as JSON escapes it, in one or two units of UTF-16.
  fileprivate func appendEscape(to text: inout String) {
    for unit in UTF16.encode(self).map(Array.init) ?? [] { text += "\\u" + unit.digits(4, radix: 16) }
  }
}
