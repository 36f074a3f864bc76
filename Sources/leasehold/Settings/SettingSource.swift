/// Where a value came from.
enum SettingSource: Sendable, Hashable {
  case flag
  case environment
  case file(path: String, at: TextPlace)
  case fallback

  /// An error that names the setting, this source and the reason.
  ///
  /// A flag's fault is one of the command line, any other one of the configuration.
  func failure(_ setting: Setting, _ reason: String) -> Failure {
    Failure("\(setting.flag)\(parenthesis(setting)): \(reason)", self == .flag ? .usage : .configuration)
  }

  /// The kind of source alone.
  var noun: String {
    switch self {
    case .flag: "flag"
    case .environment: "environment"
    case .file: "file"
    case .fallback: "default"
    }
  }

  /// The exact source of the value; `nil` for a default.
  func origin(of setting: Setting) -> String? {
    switch self {
    case .flag: setting.flag
    case .environment: setting.environmentName
    case .file(let path, _): path
    case .fallback: nil
    }
  }

  /// Where it stands in its file.
  var place: TextPlace? {
    if case .file(_, let place) = self { place } else { nil }
  }

  /// Follows the flag's name in an error; empty for a flag.
  func parenthesis(_ setting: Setting) -> String {
    switch self {
    case .flag: ""
    case .environment: " (from \(setting.environmentName))"
    case .file(let path, let place): " (from \(path), \(place))"
    case .fallback: " (its default)"
    }
  }
}
