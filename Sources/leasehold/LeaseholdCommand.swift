internal import ArgumentParser

/// The root of the command tree.
struct LeaseholdCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "leasehold",
    abstract: "A lock service over System V semaphores.",
    version: "leasehold \(leaseholdVersion)",
    subcommands: [VersionCommand.self, CompletionsCommand.self, SettingsMarkdownCommand.self],
    groupedSubcommands: [
      CommandGroup(
        name: "Locks",
        subcommands: [
          RunCommand.self, AcquireCommand.self, RenewCommand.self, ReleaseCommand.self, HoldCommand.self,
          LocksCommand.self, LeasesCommand.self, BreakCommand.self, TopCommand.self,
        ]),
      CommandGroup(name: "System V", subcommands: [SemCommand.self, ShmCommand.self]),
      CommandGroup(
        name: "Service",
        subcommands: [ServeCommand.self, TokenCommand.self, ReadyCommand.self, LiveCommand.self, DoctorCommand.self]),
    ])
}

/// Prints the version.
struct VersionCommand: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "version", abstract: "Print the version.")

  func run() {
    print("leasehold \(leaseholdVersion)")
  }
}

/// Prints `docs/settings.md`.
struct SettingsMarkdownCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "settings-markdown", abstract: "Print docs/settings.md.", shouldDisplay: false)

  func run() {
    print(SettingsMarkdown.text, terminator: "")
  }
}
