/// One row of the table of settings: all that flags, environment, file and documentation say about it.
struct Setting: Sendable, Hashable {
  /// Where a setting stands in the help and in the documentation.
  enum Section: String, CaseIterable, Sendable {
    case listening = "Listening"
    case access = "Who may"
    case leases = "Leases"
    case limits = "Limits"
    case memory = "Shared memory"
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

  init(
    _ name: String, _ section: Section, _ kind: SettingKind, default fallback: String, _ help: String,
    hidden: Bool = false
  ) {
    self.name = name
    self.section = section
    self.kind = kind
    self.fallback = fallback
    self.help = help
    self.isHidden = hidden
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
