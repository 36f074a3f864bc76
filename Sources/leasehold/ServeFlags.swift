internal import ArgumentParser

/// The flags of one section of the table of settings.
///
/// The argument parser asks a type for its properties. This one has as many as the section has rows, and all that is
/// said about each comes from the table.
struct SectionFlags<let place: Int>: ParsableArguments, CustomReflectable {
  /// The flags that were given, by the setting's name, each as the environment would have it.
  private(set) var given: [String: String] = [:]

  private static var settings: [Setting] { SettingSection.all[place].settings }

  init() {}

  init(from decoder: any Decoder) throws {
    let flags = try decoder.container(keyedBy: SettingName.self)
    for setting in Self.settings {
      let name = SettingName(stringValue: setting.name)
      switch setting.kind {
      case .toggle: given[setting.name] = try flags.decode(Flag<Bool?>.self, forKey: name).wrappedValue?.description
      case .list:
        let elements = try flags.decode(Option<[String]>.self, forKey: name).wrappedValue
        given[setting.name] = elements.isEmpty ? nil : elements.joined(separator: ",")
      default: given[setting.name] = try flags.decode(Option<String?>.self, forKey: name).wrappedValue
      }
    }
  }

  var customMirror: Mirror { Mirror(self, children: Self.settings.map { (label: $0.name, value: $0.property) }) }
}

private struct SettingName: CodingKey {
  let stringValue: String
  var intValue: Int? { nil }

  init(stringValue: String) { self.stringValue = stringValue }
  init?(intValue: Int) { nil }
}

extension Setting {
  /// The flag as a property that the argument parser understands.
  fileprivate var property: Any {
    let name: NameSpecification = [.customLong(name)]
    let help = ArgumentHelp("\(helpWithRange)", valueName: kind.placeholder, visibility: isHidden ? .hidden : .default)
    return switch kind {
    case .toggle: Flag<Bool?>(name: name, inversion: .prefixedNo, help: help)
    case .list: Option<[String]>(wrappedValue: [], name: name, help: help)
    default: Option<String?>(name: name, help: help)
    }
  }
}
