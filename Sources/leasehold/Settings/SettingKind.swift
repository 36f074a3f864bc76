internal import Leasehold
internal import LeaseholdHost
internal import SysVTypes

/// The kind of a setting's value: how it is written and its range.
enum SettingKind: Sendable, Hashable {
  /// One line of text; the payload names it in the help.
  case text(String)
  /// A path; empty means none.
  case path(bytesMax: Int)
  /// A comma-separated list; the payload names an element in the help.
  case list(String)
  case integer(ClosedRange<Int>)
  case octal(ClosedRange<Int>)
  case bytes(ClosedRange<Int>)
  case duration(ClosedRange<TimeSpan>)
  /// A System V key: a number of 32 bits that is not 0.
  case ipcKey
  case toggle
  case choice([String])
}

/// A setting's value after reading.
enum SettingValue: Sendable, Hashable {
  /// Texts, choices and paths; an empty one is none.
  case text(String)
  case list([String])
  case integer(Int)
  case duration(TimeSpan)
  case toggle(Bool)
}

/// Why a text cannot be a setting's value: the end of a sentence that names the setting.
struct UnusableValue: Error, Equatable {
  let reason: String
}

extension SettingKind {
  /// Reads a value the way every source writes it.
  func parse(_ text: String) throws(UnusableValue) -> SettingValue {
    switch self {
    case .text:
      guard !text.isEmpty else { throw UnusableValue(reason: "it is empty") }
      try refuseControlCharacters(text)
      return .text(text)
    case .path(let bytesMax):
      try refuseControlCharacters(text)
      guard text.utf8.count <= bytesMax else {
        throw UnusableValue(reason: "the path has \(text.utf8.count) bytes; at most \(bytesMax) are possible")
      }
      return .text(text)
    case .list:
      try refuseControlCharacters(text)
      let parts = text.split(separator: ",").map(\.trimmedBlanks)
      return .list(parts.filter { !$0.isEmpty })
    case .integer(let range):
      return .integer(try within(range, number(text, radix: 10, "a whole number", "5"), shown: text))
    case .octal(let range):
      return .integer(try within(range, number(text, radix: 8, "an octal number", "0660"), shown: text))
    case .bytes(let range):
      guard let bytes = SizeText.parse(text) else {
        throw UnusableValue(reason: "'\(text)' is not a size; give something like 16KiB, 1MiB or plain bytes")
      }
      return .integer(try within(range, bytes, shown: text))
    case .duration(let range):
      guard let duration = TimeSpan(text: text.utf8) else {
        throw UnusableValue(
          reason: "'\(text)' is not a duration; give something like 250ms, 30s, 1.5m or 2h")
      }
      return .duration(try within(range, duration, shown: text))
    case .ipcKey: return .integer(try ipcKey(text))
    case .toggle: return .toggle(try toggle(text))
    case .choice(let known):
      guard known.contains(text) else {
        throw UnusableValue(reason: "'\(text)' is none of \(known.joined(separator: ", "))")
      }
      return .text(text)
    }
  }

  private func within<Value>(_ range: ClosedRange<Value>, _ value: Value, shown: String)
    throws(UnusableValue) -> Value
  {
    guard range.contains(value) else {
      throw UnusableValue(reason: "\(shown) is out of range; give \(rangeText ?? "another one")")
    }
    return value
  }

  private func number(_ text: String, radix: Int, _ what: String, _ example: String)
    throws(UnusableValue) -> Int
  {
    let hasSign = text.hasPrefix("+") || text.hasPrefix("-")
    if !hasSign, let number = Int(text, radix: radix) { return number }
    if text.dropFirst(hasSign ? 1 : 0).allSatisfy(\.isASCIIDigit), text.contains(where: \.isASCIIDigit), radix == 10 {
      throw UnusableValue(reason: "\(text) is out of range; give \(rangeText ?? example)")
    }
    throw UnusableValue(reason: "'\(text)' is not \(what); give something like \(example)")
  }

  private func ipcKey(_ text: String) throws(UnusableValue) -> Int {
    guard case .key(let key) = IPCKey.read(text), !text.hasPrefix("-") else {
      throw UnusableValue(reason: "'\(text)' is not a System V key; give something like 0x4c480001, not 0")
    }
    return Int(UInt32(bitPattern: key.rawValue))
  }

  private func toggle(_ text: String) throws(UnusableValue) -> Bool {
    switch text.lowercased() {
    case "true", "yes", "on", "1": return true
    case "false", "no", "off", "0": return false
    default: throw UnusableValue(reason: "'\(text)' is neither true nor false")
    }
  }

  private func refuseControlCharacters(_ text: String) throws(UnusableValue) {
    guard text.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7F }) else {
      throw UnusableValue(reason: "it has a control character in it")
    }
  }

  /// Writes a value in the form in which every source reads it.
  func text(of value: SettingValue) -> String {
    switch (self, value) {
    case (.octal, .integer(let number)): number.digits(4, radix: 8)
    case (.bytes, .integer(let number)): SizeText.text(number)
    case (.ipcKey, .integer(let number)): "0x" + number.digits(8, radix: 16)
    case (_, .integer(let number)): String(number)
    case (_, .duration(let duration)): duration.text
    case (_, .list(let elements)): elements.joined(separator: ",")
    case (_, .toggle(let isOn)): isOn ? "true" : "false"
    case (_, .text(let text)): text
    }
  }

  /// The range in words; `nil` where there is none.
  var rangeText: String? {
    switch self {
    case .text, .list, .path, .ipcKey, .toggle: nil
    case .integer(let range): "\(range.lowerBound) to \(range.upperBound)"
    case .octal(let range): "\(range.lowerBound.digits(4, radix: 8)) to \(range.upperBound.digits(4, radix: 8))"
    case .bytes(let range): SizeText.text(range.lowerBound) + " to " + SizeText.text(range.upperBound)
    case .duration(let range): "\(range.lowerBound.text) to \(range.upperBound.text)"
    case .choice(let known): known.joined(separator: ", ")
    }
  }

  /// The placeholder of the value in the help.
  var placeholder: String {
    switch self {
    case .text(let name), .list(let name): name
    case .path: "path"
    case .integer: "n"
    case .octal: "mode"
    case .bytes: "size"
    case .duration: "duration"
    case .ipcKey: "key"
    case .toggle: "bool"
    case .choice(let known): known.count <= 3 ? known.joined(separator: "|") : "name"
    }
  }
}

extension Character {
  var isASCIIDigit: Bool { ("0"..."9").contains(self) }
}
