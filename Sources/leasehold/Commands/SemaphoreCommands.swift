internal import ArgumentParser
internal import LeaseholdClient

/// `leasehold sem`: System V semaphore sets.
struct SemCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sem", abstract: "List, make, change and remove System V semaphore sets.",
    discussion: "A set is named by its key (0x7c4a, 31818) or its number (id:98).",
    subcommands: [List.self, Show.self, Create.self, Set.self, Operate.self, Remove.self], defaultSubcommand: List.self)

  /// `leasehold sem list`.
  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "List the host's sets; the default.")
    @OptionGroup var ask: AskOptions

    func run() throws {
      try ask.showList(Request("GET", ["semaphores"]), "semaphores") { sets in
        Table(
          sets, ("KEY", \.["key"].keyCell), ("ID", \.["id"].cell), ("UID", \.["uid"].cell), ("MODE", \.["mode"].cell),
          ("NSEMS", \.["nsems"].cell), ("LAST-OP", \.["otime"].cell), ("HELD", \.["held"].cell),
          ("WAITING", \.["waiting"].cell), ("LEASEHOLD", \.["leasehold"]["role"].cell))
      }
    }
  }

  /// `leasehold sem show`.
  struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "show", abstract: "Show a set's semaphores.")
    @OptionGroup var ask: AskOptions
    @Argument(help: ArgumentHelp("The set.", valueName: "set")) var set: String

    func run() throws {
      try ask.show(Request("GET", ["semaphores", set])) { set in
        var table = Table("SEM", "VALUE", "PID", "NCNT", "ZCNT", "LEASES")
        for sem in set["semaphores"].elements {
          table.add(
            sem["sem"].cell, sem["value"].cell, sem["pid"].cell, sem["ncnt"].cell, sem["zcnt"].cell,
            sem["leases"].elements.compactMap(\.cell).joined(separator: " "))
        }
        let users = LocksCommand.users(of: set)
        return table.text + (users.rows.isEmpty ? "" : "\n" + users.text)
      }
    }
  }

  /// `leasehold sem create`.
  struct Create: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "create", abstract: "Make a set, or open it.")
    @Option(help: ArgumentHelp("The number of semaphores.", valueName: "count")) var nsems = 1
    @Option(help: ArgumentHelp("Permissions in octal, such as 0660.", valueName: "mode")) var mode: String?
    @Flag(help: "Fail if the set exists.") var exclusive = false
    @OptionGroup var ask: AskOptions
    @Argument(help: ArgumentHelp("A key, or private.", valueName: "key")) var key: String

    func run() throws {
      let request = Request(
        "POST", ["semaphores"],
        given: ["key": key, "nsems": "\(nsems)", "mode": mode, "exclusive": exclusive ? "true" : nil])
      try ask.show(request) { "id:\($0["id"].cell ?? "?")" }
    }
  }

  /// `leasehold sem set`.
  struct Set: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "set", abstract: "Write a semaphore's value.")
    @Flag(help: "Do it even while leases stand on it.") var force = false
    @OptionGroup var ask: AskOptions
    @Argument(help: ArgumentHelp("The set.", valueName: "set")) var set: String
    @Argument(help: ArgumentHelp("The semaphore's number, from 0.", valueName: "n")) var semaphore: Int
    @Argument(help: ArgumentHelp("The value.", valueName: "value")) var value: Int

    func run() throws {
      let given: KeyValuePairs = ["value": "\(value)", "force": force ? "true" : nil]
      try ask.show(Request("PUT", ["semaphores", set, "\(semaphore)"], given: given)) { _ in "" }
    }
  }

  /// `leasehold sem op`.
  struct Operate: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "op",
      abstract: "Do operations as one step; with undo, a lease takes them back, and its id is printed.",
      discussion: "An operation is SEM:OP; ,undo and ,nowait may follow: 0:-1,undo 1:0,nowait")
    @Option(name: [.customShort("w"), .customLong("wait")], help: ArgumentHelp("Time to wait.", valueName: "time"))
    var wait: String?
    @Option(help: ArgumentHelp("Time until the lease ends.", valueName: "time")) var ttl: String?
    @OptionGroup var ask: AskOptions
    @Argument(help: ArgumentHelp("The set.", valueName: "set")) var set: String
    @Argument(parsing: .allUnrecognized, help: ArgumentHelp("SEM:OP[,undo][,nowait]", valueName: "operation"))
    var operations: [String]

    func run() throws {
      let body: JSON = [
        "ops": .array(try operations.map(Self.operation)), "wait": wait.map(JSON.string), "ttl": ttl.map(JSON.string),
      ]
      let patience = try wait.map { try LockOptions.duration($0, of: "--wait") } ?? .zero
      let request = Request("POST", ["semaphores", set, "op"], json: body)
      try ask.show(request.within(patience + .seconds(5)), isWaiting: patience > .zero) { $0["lease"].string ?? "" }
    }

    /// Reads `0:-1,undo`.
    static func operation(_ text: String) throws -> JSON {
      let words = text.split(separator: ",", omittingEmptySubsequences: false)
      let numbers = words[0].split(separator: ":").map { Int($0) }
      guard numbers.count == 2, let sem = numbers[0], let op = numbers[1],
        words.dropFirst().allSatisfy({ $0 == "undo" || $0 == "nowait" })
      else { throw ValidationError("'\(text)' is no operation; give something like 0:-1,undo") }
      return .object(
        [JSON.Member("sem", .number(sem)), JSON.Member("op", .number(op))]
          + words.dropFirst().map { JSON.Member(String($0), .bool(true)) })
    }
  }

  /// `leasehold sem rm`.
  struct Remove: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "rm", abstract: "Remove a set.")
    @Flag(help: "Do it even while leases stand on it.") var force = false
    @OptionGroup var ask: AskOptions
    @Argument(help: ArgumentHelp("The set.", valueName: "set")) var set: String

    func run() throws {
      try ask.show(Request("DELETE", ["semaphores", set], query: force ? [("force", "true")] : [])) { _ in "" }
    }
  }
}
