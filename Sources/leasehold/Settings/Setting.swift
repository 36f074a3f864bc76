internal import Leasehold

/// One row of the table of settings: all that flags, environment, file and documentation say about it, and its place.
struct Setting: Sendable {
  /// Where a setting stands in the help and in the documentation.
  enum Section: String, CaseIterable, Sendable {
    case listening = "Listening"
    case access = "Who may"
    case leases = "Leases"
    case limits = "Limits"
    case memory = "Shared memory"
    case cluster = "More than one host"
    case kernel = "Kernel and state"
    case logs = "Logs"
  }

  /// The flag without its dashes, which is also the key in the file.
  let name: String
  let section: Section
  let kind: SettingKind
  /// The default, written as a user would write it; empty means none.
  let fallback: String
  /// One sentence without a full stop.
  let help: String
  /// Left out of the help and of the documentation.
  let isHidden: Bool
  /// Puts a value of the kind where it belongs.
  let store: @Sendable (SettingValue, inout ServeOptions) -> Void

  init<Value: SettingStorable>(
    _ name: String, _ section: Section, _ kind: SettingKind, default fallback: String, _ help: String,
    hidden: Bool = false, _ place: any WritableKeyPath<ServeOptions, Value> & Sendable
  ) {
    self.name = name
    self.section = section
    self.kind = kind
    self.fallback = fallback
    self.help = help
    self.isHidden = hidden
    store = { value, options in
      guard let value = Value(value) else { preconditionFailure("--\(name) does not fit its place") }
      options[keyPath: place] = value
    }
  }

  /// As it is given on the command line.
  var flag: String { "--" + name }

  /// As it is given in the environment.
  var environmentName: String {
    Setting.environmentPrefix + String(name.uppercased().map { $0 == "-" ? "_" : $0 })
  }

  static let environmentPrefix = "LEASEHOLD_"

  /// The help with its default and range, as the command line shows it.
  var helpWithRange: String {
    let known = [kind.rangeText, fallback.isEmpty ? nil : "default: \(fallback)"].compactMap(\.self)
    return known.isEmpty ? help + "." : help + " (" + known.joined(separator: "; ") + ")."
  }
}

extension Setting: Equatable {
  static func == (one: Setting, other: Setting) -> Bool { one.name == other.name }
}

/// A type that a place in ``ServeOptions`` has.
protocol SettingStorable: SendableMetatype {
  /// The value in this type; `nil` when the kind of the setting does not fit it.
  init?(_ value: SettingValue)
}

extension SettingStorable where Self: FixedWidthInteger {
  init?(_ value: SettingValue) {
    guard case .integer(let number) = value else { return nil }
    // A System V key is written without its sign.
    self.init(truncatingIfNeeded: number)
  }
}

extension Int: SettingStorable {}
extension Int32: SettingStorable {}
extension UInt16: SettingStorable {}
extension UInt32: SettingStorable {}

extension Bool: SettingStorable {
  init?(_ value: SettingValue) {
    guard case .toggle(let isOn) = value else { return nil }
    self = isOn
  }
}

extension String: SettingStorable {
  init?(_ value: SettingValue) {
    guard case .text(let text) = value else { return nil }
    self = text
  }
}

/// An empty text is none.
extension Optional: SettingStorable where Wrapped == String {
  init?(_ value: SettingValue) {
    guard case .text(let text) = value else { return nil }
    self = text.isEmpty ? nil : text
  }
}

extension [String]: SettingStorable {
  init?(_ value: SettingValue) {
    guard case .list(let elements) = value else { return nil }
    self = elements
  }
}

extension TimeSpan: SettingStorable {
  init?(_ value: SettingValue) {
    guard case .duration(let span) = value else { return nil }
    self = span
  }
}

extension ServeOptions.LogFormat: SettingStorable {
  init?(_ value: SettingValue) {
    guard case .text(let text) = value else { return nil }
    self.init(rawValue: text)
  }
}
