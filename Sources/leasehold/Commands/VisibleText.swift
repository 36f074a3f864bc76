internal import LeaseholdHost

/// Text of others as a person may see it: what would move a cursor, turn the direction of writing, or not be seen at
/// all is shown by its number.
enum VisibleText {
  /// The text with everything that does not show written as `\u{202e}`.
  ///
  /// - Parameter keepingLines: Whether line ends are the text's own.
  static func of(_ text: String, keepingLines: Bool = false) -> String {
    replaced(text) { scalar in
      scalar.isShown || (keepingLines && scalar == "\n") ? nil : "\\u{" + String(scalar.value, radix: 16) + "}"
    }
  }

  /// JSON, which stays what it is: what does not show can only stand in its texts, where an escape means the same.
  static func ofJSON(_ json: String) -> String { replaced(json) { $0.value < 0x20 ? nil : $0.escape } }

  /// A text as JSON, in quotes; a terminal takes no orders from it, and a log keeps it on one line.
  static func quoted(_ text: String) -> String { "\"" + escaped(text, withQuotes: true) + "\"" }

  /// A text as JSON escapes it, and what does not show, such as controls and marks of direction, too.
  ///
  /// - Parameter withQuotes: Whether quotes and backslashes are escaped.
  static func escaped(_ text: String, withQuotes: Bool) -> String {
    replaced(text) { scalar in
      switch scalar {
      case "\n": "\\n"
      case "\r": "\\r"
      case "\t": "\\t"
      case "\"" where withQuotes: "\\\""
      case "\\" where withQuotes: "\\\\"
      default: scalar.escape
      }
    }
  }

  /// The text with other words for some of its scalars; `nil` keeps one.
  private static func replaced(_ text: String, _ words: (Unicode.Scalar) -> String?) -> String {
    var replaced = ""
    replaced.reserveCapacity(text.utf8.count)
    for scalar in text.unicodeScalars {
      if let words = words(scalar) { replaced += words } else { replaced.unicodeScalars.append(scalar) }
    }
    return replaced
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

  /// The scalar as JSON escapes it, in one or two units of UTF-16; `nil` for one that is seen as itself.
  fileprivate var escape: String? {
    isShown ? nil : UTF16.encode(self)?.map { "\\u" + $0.digits(4, radix: 16) }.joined()
  }
}
