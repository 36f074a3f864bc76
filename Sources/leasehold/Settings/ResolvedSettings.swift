/// A setting with its value and where that came from.
struct ResolvedSetting: Sendable {
  let setting: Setting
  let value: SettingValue
  let source: SettingSource

  /// The value as a user would write it.
  var text: String { setting.kind.text(of: value) }

  /// The flag, and where its value came from if it was not the flag.
  var place: String { setting.flag + source.parenthesis(setting) }

  /// An error that names the setting, its source and the reason.
  func error(_ reason: String) -> Failure { source.failure(setting, reason) }

  /// `flag --port`, `environment LEASEHOLD_PORT`, `file PATH, line 2, column 3` or `default`.
  fileprivate var sourceText: String {
    let origin = [source.noun, source.origin(of: setting)].compactMap(\.self).joined(separator: " ")
    return source.place.map { "\(origin), \($0)" } ?? origin
  }

  fileprivate var json: String {
    switch (setting.kind, value) {
    case (.integer, .integer(let number)): String(number)
    case (_, .toggle(let isOn)): isOn ? "true" : "false"
    case (_, .list(let elements)): "[" + elements.map(VisibleText.quoted).joined(separator: ", ") + "]"
    default: VisibleText.quoted(text)
    }
  }
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

  /// The settings to show; a hidden one shows only when it was set.
  private var shown: [ResolvedSetting] { all.filter { !$0.setting.isHidden || $0.source != .fallback } }

  /// Name, value and source of each setting in columns, one a line.
  var table: String {
    let rows = shown.map { (name: $0.setting.name, value: $0.text.isEmpty ? "-" : $0.text, source: $0.sourceText) }
    let nameWidth = rows.map(\.name.count).max() ?? 0
    let valueWidth = rows.map(\.value.count).max() ?? 0
    return rows.map { row in
      row.name.padded(to: nameWidth) + "  " + row.value.padded(to: valueWidth) + "  " + row.source + "\n"
    }.joined()
  }

  /// The same as one JSON object; each value is in a form that the file takes.
  var json: String {
    let members = shown.map { row in
      let origin = row.source.origin(of: row.setting).map(VisibleText.quoted) ?? "null"
      let line = row.source.place.map { "\($0.line)" } ?? "null"
      return "    \(VisibleText.quoted(row.setting.name)): {\"value\": \(row.json), "
        + "\"source\": \(VisibleText.quoted(row.source.noun)), \"origin\": \(origin), \"line\": \(line)}"
    }
    let file = configPath.map(VisibleText.quoted) ?? "null"
    return "{\n  \"config\": \(file),\n  \"settings\": {\n" + members.joined(separator: ",\n") + "\n  }\n}\n"
  }
}

extension String {
  fileprivate func padded(to width: Int) -> String {
    self + String(repeating: " ", count: max(0, width - count))
  }
}
