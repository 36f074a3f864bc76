internal import ArgumentParser
internal import LeaseholdHTTP

/// The root of the command tree.
struct LeaseholdCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "leasehold",
    abstract: "A lock service over System V semaphores.",
    version: "leasehold \(Build.version)",
    subcommands: [VersionCommand.self, CompletionsCommand.self, SettingsMarkdownCommand.self],
    groupedSubcommands: [
      CommandGroup(
        name: "Locks",
        subcommands: [
          RunCommand.self, AcquireCommand.self, RenewCommand.self, AddCommand.self, NoteCommand.self,
          ReleaseCommand.self, HoldCommand.self, LocksCommand.self, LeasesCommand.self, BreakCommand.self,
          ResizeCommand.self, TopCommand.self,
        ]),
      CommandGroup(name: "System V", subcommands: families),
      CommandGroup(
        name: "Service",
        subcommands: [ServeCommand.self, TokenCommand.self, ReadyCommand.self, LiveCommand.self, DoctorCommand.self]),
    ])

  /// The commands that have commands of their own.
  private static var families: [any ParsableCommand.Type] { [SemCommand.self, ShmCommand.self] }

  /// The arguments with `--url` and `--cacert` behind the command, where the parser wants them, instead of before it.
  static func ordered(_ arguments: [String]) throws(Failure) -> [String] {
    var rest = arguments[...]
    var moved: [String] = []
    let flags = ["--url", "--cacert"]
    while let word = rest.first, let flag = flags.first(where: { word == $0 || word.hasPrefix($0 + "=") }) {
      moved += rest.prefix(word == flag ? 2 : 1)
      rest = rest.dropFirst(word == flag ? 2 : 1)
    }
    guard let flag = moved.first else { return arguments }
    guard let name = rest.first else {
      throw Failure("no command stands behind \(flag); `leasehold --help` lists them", .usage)
    }
    let isFamily = families.contains { $0.configuration.commandName == name }
    let path = isFamily && !(rest.dropFirst().first ?? "-").hasPrefix("-") ? 2 : 1
    return rest.prefix(path) + moved + rest.dropFirst(path)
  }

  /// Parses the arguments.
  ///
  /// The commands that scripts call often are read without the parser where that is possible.
  static func parsed(_ arguments: [String]) throws -> any ParsableCommand {
    if let command = quick(arguments) { return command }
    if let unknown = unknownCommand(arguments) { throw unknown }
    return try parseAsRoot(arguments)
  }

  /// The command that is read without the parser; `nil` where that is asked.
  static func quick(_ arguments: [String]) -> (any ParsableCommand)? {
    let words = arguments.dropFirst()
    return switch arguments.first {
    case "run": RunCommand(quickly: words)
    case "acquire": AcquireCommand(quickly: words)
    case "release": ReleaseCommand(quickly: words)
    case "renew": RenewCommand(quickly: words)
    case "ready": ReadyCommand(quickly: words)
    default: nil
    }
  }

  /// The error of a first argument where it should name a command and does not.
  static func unknownCommand(_ arguments: [String]) -> Failure? {
    guard let word = arguments.first, !word.hasPrefix("-") else { return nil }
    var (names, hidden) = (["help"], [String]())
    for command in configuration.subcommands + configuration.groupedSubcommands.flatMap(\.subcommands) {
      guard let name = command.configuration.commandName else { continue }
      if command.configuration.shouldDisplay { names.append(name) } else { hidden.append(name) }
      hidden += command.configuration.aliases
    }
    guard !names.contains(word), !hidden.contains(word) else { return nil }
    let hint = nearestName(to: word, among: names).map { " did you mean '\($0)'?" } ?? ""
    return Failure(
      "there is no command '\(word)';\(hint) `leasehold --help` lists all of them", .usage)
  }
}

/// Prints the version.
struct VersionCommand: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "version", abstract: "Print the version.")

  @Flag(help: "Print JSON, with the commit, the instant of the build, and what it was built with.")
  var json = false

  func run() {
    print(json ? "\(ServerOptions.Versions.built.json)" : "leasehold \(Build.version)")
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
