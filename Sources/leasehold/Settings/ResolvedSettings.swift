/// A setting with its value and where that came from.
struct ResolvedSetting: Sendable, Equatable {
  let setting: Setting
  let value: SettingValue
  let source: SettingSource

  /// The value as a user would write it.
  var text: String { setting.kind.text(of: value) }

  /// The flag, and where its value came from if it was not the flag.
  var place: String { setting.flag + source.parenthesis(setting) }

  /// An error that names the setting, its source and the reason.
  func error(_ reason: String) -> Failure { source.failure(setting, reason) }
}

/// Every setting, each one good by itself.
struct ResolvedSettings: Sendable {
  /// In the order of the table.
  let all: [ResolvedSetting]
  /// The file that was read; `nil` when none was.
  let configPath: String?
  /// For the log, once there is one.
  let warnings: [String]

  /// The setting of a name that the table has.
  subscript(name: String) -> ResolvedSetting {
    guard let found = all.first(where: { $0.setting.name == name }) else {
      preconditionFailure("\(name) is not in the table of settings")
    }
    return found
  }
}
