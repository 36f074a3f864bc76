internal import Leasehold
internal import LeaseholdHost

extension SettingKind {
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
