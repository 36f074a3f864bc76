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

  init<Value>(
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

extension Setting: Equatable {
  static func == (one: Setting, other: Setting) -> Bool { one.name == other.name }
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
