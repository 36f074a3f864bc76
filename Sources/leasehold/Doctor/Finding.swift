internal import LeaseholdClient

/// A finding of the doctor at one place.
struct Finding: Equatable {
  /// The weight of a finding.
  enum Level: String, CaseIterable {
    case ok
    /// Worth knowing; nothing is broken.
    case note
    /// Something does not work, or will stop working.
    case problem
  }

  let level: Level
  /// Where it looked, in a word or two.
  let place: String
  /// The sentence that says what was seen.
  let text: String
  /// A command that mends it, for a shell; what more is to be done, or cannot be typed, stands in it as a comment.
  var fix: String?

  static func ok(_ place: String, _ text: String) -> Finding { Finding(level: .ok, place: place, text: text) }

  static func note(_ place: String, _ text: String, fix: String? = nil) -> Finding {
    Finding(level: .note, place: place, text: text, fix: fix)
  }

  static func problem(_ place: String, _ text: String, fix: String? = nil) -> Finding {
    Finding(level: .problem, place: place, text: text, fix: fix)
  }

  /// For people: a line, and one for the fix.
  var lines: String {
    let head = level.rawValue + String(repeating: " ", count: 9 - level.rawValue.count)
    return "\(head)\(place): \(VisibleText.of(text))\n" + (fix.map { "         mend it: \($0)\n" } ?? "")
  }

  /// For programs.
  var json: JSON {
    [
      "level": .string(level.rawValue), "place": .string(place), "text": .string(text),
      "fix": fix.map(JSON.string) ?? .null,
    ]
  }
}
