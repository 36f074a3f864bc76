internal import ArgumentParser
internal import LeaseholdHTTP

/// `leasehold token`: makes a bearer token and the line for `--token-file`.
struct TokenCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "token", abstract: "Make a bearer token and its line for --token-file.",
    discussion: """
      The first line is the token. It is shown only once and stored nowhere. The second line is for the file, and has \
      only a hash. Append it to the file and send SIGHUP to the daemon.
      """)

  @Argument(help: "The token's name, for the file and the log.")
  var name: String

  @Option(help: "Its role: read, lock (also take and give back) or admin (also break, remove, force).")
  var role = "lock"

  @Option(
    help: ArgumentHelp(
      "Only locks whose names begin with one of these, percent-encoded, separated by commas.", valueName: "prefixes"))
  var keys: String?

  @Option(help: ArgumentHelp("The longest time to live of its leases.", valueName: "duration"))
  var ttlMax: String?

  func run() throws {
    let options = [keys.map { "keys=" + $0 }, ttlMax.map { "ttl-max=" + $0 }].compactMap(\.self)
    do {
      let made = try TokenLine.make(name: name, role: role, options: options)
      print("\(made.token)\n\(made.line)")
    } catch {
      throw ValidationError("\(error)")
    }
  }
}
