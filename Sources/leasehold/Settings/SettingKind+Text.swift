internal import Leasehold

extension SettingKind {
  /// Writes a value in the form in which every source reads it.
  func text(of value: SettingValue) -> String {
    switch (self, value) {
    case (.octal, .integer(let number)): SettingKind.octalText(number)
    case (.bytes, .integer(let number)): SizeText.text(number)
    case (.ipcKey, .integer(let number)): "0x" + hexadecimal(number)
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
    case .octal(let range): SettingKind.octalText(range.lowerBound) + " to " + SettingKind.octalText(range.upperBound)
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

  private static func octalText(_ number: Int) -> String {
    let digits = String(number, radix: 8)
    return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
  }

  private func hexadecimal(_ number: Int) -> String {
    let digits = String(number, radix: 16)
    return String(repeating: "0", count: max(0, 8 - digits.count)) + digits
  }
}
