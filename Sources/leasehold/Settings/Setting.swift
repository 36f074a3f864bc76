internal import Leasehold

/// One row of the table of settings: all that flags, environment, file and documentation say about it, and its place.
struct Setting: Sendable {
  /// The flag without its dashes, which is also the key in the file.
  let name: String
  let kind: SettingKind
  /// The default, written as a user would write it; empty means none.
  let fallback: String
  /// One sentence without a full stop.
  let help: String
  /// Left out of the help and of the documentation.
  let isHidden: Bool
  /// Puts a value of the kind where it belongs.
  let store: @Sendable (SettingValue, inout ServeOptions) -> Void

  init<Value>(
    _ name: String, _ kind: SettingKind, default fallback: String, _ help: String,
    hidden: Bool = false, _ place: any WritableKeyPath<ServeOptions, Value> & Sendable
  ) {
    self.name = name
    self.kind = kind
    self.fallback = fallback
    self.help = help
    self.isHidden = hidden
    store = { value, options in
      guard let value = value.fitted(to: Value.self) else { preconditionFailure("--\(name) does not fit its place") }
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

extension SettingValue {
  /// The value as a place of this type has it; `nil` where it does not fit.
  fileprivate func fitted<Value>(to type: Value.Type) -> Value? {
    switch (self, type) {
    // A System V key is written without its sign.
    case (.integer(let number), let type as any FixedWidthInteger.Type): type.init(truncatingIfNeeded: number) as? Value
    case (.integer, _): nil
    case (.text(""), is String?.Type): String?.none as? Value
    case (.text(let text), is ServeOptions.LogFormat.Type): ServeOptions.LogFormat(rawValue: text) as? Value
    case (.text(let text), _): text as? Value
    case (.list(let elements), _): elements as? Value
    case (.duration(let span), _): span as? Value
    case (.toggle(let isOn), _): isOn as? Value
    }
  }
}
