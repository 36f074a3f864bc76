/// The places settings come from, the first one wins: flags, environment, file, defaults.
struct SettingsSources: Sendable {
  /// Values of flags by the setting's name.
  var flags: [String: String] = [:]
  /// The whole environment of the process.
  var environment: [String: String] = [:]
  /// The file named by `--config`; an empty path is none.
  var configPath: String?
  /// The file that is read when it exists and none is named.
  var systemPath = SettingsFile.systemPath

  /// Names a file like `--config`.
  static let configVariable = "LEASEHOLD_CONFIG"

  /// Names that are known to the environment although they are no settings of the daemon.
  static let clientVariables: Set<String> = [
    "LEASEHOLD_URL", "LEASEHOLD_LEASE", "LEASEHOLD_FENCE", "LEASEHOLD_LOCK", "LEASEHOLD_SLOT",
  ]

  /// Reads and checks every setting by itself; ``ServeOptions`` checks them against each other.
  func resolve() throws(Failure) -> ResolvedSettings {
    let file = try readFile()
    let variables = environment.filter { $0.key.hasPrefix(Setting.environmentPrefix) && !isServiceLink($0.key) }
    var resolved: [ResolvedSetting] = []
    for setting in Setting.all {
      let (text, source) = given(setting, variables, file) ?? (setting.fallback, .fallback)
      do {
        resolved.append(ResolvedSetting(setting: setting, value: try setting.kind.parse(text), source: source))
      } catch {
        throw source.failure(setting, error.reason)
      }
    }
    return ResolvedSettings(all: resolved, configPath: file?.path, warnings: warnings)
  }

  private func given(
    _ setting: Setting, _ variables: [String: String], _ file: SettingsFile?
  ) -> (text: String, source: SettingSource)? {
    if let text = flags[setting.name] { return (text, .flag) }
    if let text = variables[setting.environmentName] { return (text, .environment) }
    guard let file, let entry = file.entries[setting.name] else { return nil }
    return (entry.text, .file(path: file.path, at: entry.place))
  }

  private func readFile() throws(Failure) -> SettingsFile? {
    if let configPath { return try named(configPath, "--config", .usage) }
    if let path = environment[SettingsSources.configVariable] {
      return try named(path, "--config (from \(SettingsSources.configVariable))", .configuration)
    }
    return try SettingsFile.read(path: systemPath)
  }

  private func named(_ path: String, _ place: String, _ status: ExitStatus) throws(Failure) -> SettingsFile? {
    if path.isEmpty { return nil }
    if let file = try SettingsFile.read(path: path) { return file }
    throw Failure("\(place): there is no file '\(path)'", status)
  }
}

// The environment.
extension SettingsSources {
  /// Kubernetes gives every container of a namespace with a service "leasehold" a `LEASEHOLD_PORT=tcp://…`.
  private func isServiceLink(_ name: String) -> Bool {
    name == "LEASEHOLD_PORT" && environment[name]?.hasPrefix("tcp://") == true
  }

  /// One line for each variable that looks like ours and is not.
  private var warnings: [String] {
    let known = Setting.all.map(\.environmentName)
    let quiet = SettingsSources.clientVariables.union(known).union([SettingsSources.configVariable])
    return environment.keys.sorted().compactMap { name in
      if isServiceLink(name) {
        return "\(name) is a service link of Kubernetes and is not used; set enableServiceLinks: false"
      }
      guard name.hasPrefix(Setting.environmentPrefix), !quiet.contains(name) else { return nil }
      let bare = String(name.dropFirst(Setting.environmentPrefix.count))
      let nearest = nearestName(to: bare, among: Setting.all.filter { !$0.isHidden }.map(\.name))
      let hint = nearest.flatMap { Setting.named[$0] }.map { "; did you mean \($0.environmentName)?" } ?? ""
      return "\(name) is not a setting and is not used" + hint
    }
  }
}
