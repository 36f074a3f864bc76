/// A setting with its value and where that came from.
struct ResolvedSetting: Sendable, Equatable {
  let setting: Setting
  let value: SettingValue
  let source: SettingSource

  /// The value as a user would write it.
  var text: String { setting.kind.text(of: value) }
}

/// Every setting, each one good by itself.
struct ResolvedSettings: Sendable {
  /// In the order of the table.
  let all: [ResolvedSetting]
  /// The file that was read; `nil` when none was.
  let configPath: String?
  /// For the log, once there is one.
  let warnings: [String]

  subscript(setting: Setting) -> ResolvedSetting {
    guard let found = all.first(where: { $0.setting.name == setting.name }) else {
      preconditionFailure("\(setting.name) is not in the table of settings")
    }
    return found
  }

  func text(_ setting: Setting) -> String {
    guard case .text(let text) = self[setting].value else { preconditionFailure("\(setting.name) is no text") }
    return text
  }

  /// A path; `nil` when it is empty.
  func path(_ setting: Setting) -> String? {
    let path = text(setting)
    return path.isEmpty ? nil : path
  }

  func list(_ setting: Setting) -> [String] {
    guard case .list(let list) = self[setting].value else { preconditionFailure("\(setting.name) is no list") }
    return list
  }

  func integer(_ setting: Setting) -> Int {
    guard case .integer(let number) = self[setting].value else {
      preconditionFailure("\(setting.name) is no number")
    }
    return number
  }

  func duration(_ setting: Setting) -> Duration {
    guard case .duration(let duration) = self[setting].value else {
      preconditionFailure("\(setting.name) is no duration")
    }
    return duration
  }

  func toggle(_ setting: Setting) -> Bool {
    guard case .toggle(let isOn) = self[setting].value else { preconditionFailure("\(setting.name) is no switch") }
    return isOn
  }
}
