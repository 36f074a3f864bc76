internal import ArgumentParser
internal import Glibc
internal import LeaseholdClient
internal import LeaseholdHost

/// `leasehold shm`: PHP's shared variables.
struct ShmCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "shm", abstract: "List, read, write and remove PHP's shared variables.",
    subcommands: [List.self, Get.self, Put.self, Remove.self], defaultSubcommand: List.self)

  /// Which segment.
  struct SegmentOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The segment's key (default: the service's).", valueName: "key")) var segment: String?

    var query: [(String, String)] { segment.map { [("segment", $0)] } ?? [] }
  }

  /// `leasehold shm list`.
  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "List the variables; the default.")
    @OptionGroup var segment: SegmentOptions
    @OptionGroup var ask: AskOptions

    func run() throws {
      try ask.showList(Request("GET", ["shm"], query: segment.query), "variables") {
        Table($0, ("KEY", \.["key"].cell), ("TYPE", \.["type"].cell), ("BYTES", \.["length_bytes"].cell))
      }
    }
  }

  /// `leasehold shm get`.
  struct Get: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "get", abstract: "Print a variable's value as JSON.")
    @OptionGroup var segment: SegmentOptions
    @OptionGroup var ask: AskOptions
    @Argument(help: ArgumentHelp("A number or a name.", valueName: "var")) var variable: String

    func run() throws {
      try ask.show(Request("GET", ["shm", variable], query: segment.query)) { VisibleText.ofJSON("\($0)") }
    }
  }

  /// `leasehold shm put`.
  struct Put: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "put", abstract: "Store a JSON value; without one it is read from standard input.")
    @OptionGroup var segment: SegmentOptions
    @OptionGroup var ask: AskOptions
    @Argument(help: ArgumentHelp("A number or a name.", valueName: "var")) var variable: String
    @Argument(help: ArgumentHelp("JSON, such as 5, '\"text\"' or '{\"a\":[1]}'.", valueName: "value")) var value:
      String?

    func run() throws {
      var request = Request("PUT", ["shm", variable], query: segment.query)
      request.body = ("application/json", value.map { Array($0.utf8) } ?? HostFile.read(STDIN_FILENO).bytes)
      try ask.show(request) { _ in "" }
    }
  }

  /// `leasehold shm rm`.
  struct Remove: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "rm", abstract: "Remove a variable.")
    @OptionGroup var segment: SegmentOptions
    @OptionGroup var ask: AskOptions
    @Argument(help: ArgumentHelp("A number or a name.", valueName: "var")) var variable: String

    func run() throws {
      try ask.show(Request("DELETE", ["shm", variable], query: segment.query)) { _ in "" }
    }
  }
}
