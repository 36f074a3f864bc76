internal import ArgumentParser
internal import LeaseholdClient

/// `leasehold locks`: the locks there are, or the holders of one.
struct LocksCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "locks", abstract: "List locks, or show who holds and waits for one.", aliases: ["ls", "ps"])

  @Option(
    name: [.customLong("lock"), .customLong("prefix"), .customLong("key")],
    help: ArgumentHelp("Only locks whose names begin with this text; you may end it with *.", valueName: "text"))
  var prefix: LockPrefix?

  @Option(
    help: ArgumentHelp("Only locks in this state: held, free, waited, cooling or damaged.", valueName: "state"),
    completion: .list(["held", "free", "waited", "cooling", "damaged"]))
  var state: String?

  @Flag(help: "Also show holders, with the ref for `leasehold break`, and waiters; the longest wait first.")
  var who = false

  @OptionGroup var ask: AskOptions

  @Argument(help: ArgumentHelp("Show only this lock.", valueName: "lock"), completion: Known.locks)
  var key: String?

  func run() throws {
    if let key {
      try ask.show(Request("GET", ["locks", key])) { Self.text($0) }
      return
    }
    let list = Request("GET", ["locks"], given: ["key": prefix?.text, "state": state])
    if who { return try showEach(list) }
    try ask.showList(list, "locks") { locks in
      Table(
        locks, ("LOCK", \.["key"].cell), ("KIND", \.["kind"].cell), ("LIMIT", \.["limit"].cell),
        ("FREE", \.["available"].cell), ("HELD", \.["held"].cell), ("WAITING", \.["waiting"].cell),
        ("NATIVE", \.["native_held"].cell), ("FENCE", \.["fence"].cell))
    }
  }

  /// Shows each lock of a list, the longest wait first; one that is gone meanwhile, or that its name alone does not
  /// find, is left out.
  private func showEach(_ list: Request) throws {
    func wait(_ lock: JSON) -> Int64 { lock["longest_wait_ms"].int ?? -1 }
    let connection = LeaseholdConnection(try ask.service.endpoint())
    for lock in try connection.entries(of: list, "locks").sorted(by: { wait($0) > wait($1) }) {
      let response = try connection.send(Request("GET", ["locks", lock["key"].string ?? ""]))
      if let found = try? response.checked() { ask.show(found, Self.text) }
    }
  }

  /// A lock with its holders, then its waiters in order.
  static func text(_ lock: JSON) -> String {
    let slots = lock["limit"].int.map { $0 == 0 ? ", paused" : " of \($0) slots" } ?? ""
    let native = lock["native_held"].int.map { $0 > 0 ? ", \($0) units held by native programs" : "" } ?? ""
    let name = VisibleText.of(lock["key"].string ?? "")
    return "\(name): \(lock["kind"].cell ?? "lock"), \(lock["available"].cell ?? "?") free\(slots)\(native)\n"
      + users(of: lock).text
  }

  /// The holders of a lock or a set, then its waiters in order.
  static func users(of lock: JSON) -> Table {
    var table = Table("", "OWNER", "MODE", "COUNT", "SLOTS", "PID", "FROM", "SINCE", "CPU", "LEFT", "REF", "NOTE")
    for holder in lock["holders"].elements {
      let state = holder["state"].string ?? "held"
      table.add(
        state != "held" ? state : holder["yield"].bool == true ? "is to yield" : "holds", holder["owner"].cell,
        holder["mode"].cell, holder["count"].cell, holder["slots"].wordsCell, holder["pid"].cell, holder["peer"].cell,
        holder["since"].ageCell, holder["cpu_ms"].durationCell,
        holder["expires_in_ms"].durationCell, holder["ref"].cell, holder["note"].cell)
    }
    for waiter in lock["waiters"].elements {
      table.add(
        "waits", waiter["owner"].cell, waiter["mode"].cell, waiter["count"].cell, nil, waiter["pid"].cell,
        waiter["peer"].cell, waiter["age_ms"].durationCell, nil, waiter["wait_left_ms"].durationCell, nil,
        waiter["ops"].wordsCell)
    }
    table.dropEmpty("SLOTS", "CPU", "NOTE")
    return table
  }
}

/// `leasehold leases`: which leases are held.
struct LeasesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "leases", abstract: "List the leases that are held.")

  @Option(
    name: [.customLong("owner"), .customLong("label")],
    help: ArgumentHelp("Only those of this owner.", valueName: "text"), completion: Known.owners)
  var owner: String?

  @Option(
    name: [.customLong("lock"), .customLong("prefix"), .customLong("key")],
    help: ArgumentHelp("Only of locks whose names begin with this text; you may end it with *.", valueName: "text"))
  var prefix: LockPrefix?

  @OptionGroup var ask: AskOptions

  func run() throws {
    try ask.showList(Request("GET", ["leases"], given: ["owner": owner, "key": prefix?.text]), "leases") { leases in
      var table = Table(
        leases, ("REF", \.["ref"].cell), ("LOCK", \.["key"].cell), ("MODE", \.["mode"].cell),
        ("COUNT", \.["count"].cell), ("SLOTS", \.["slots"].wordsCell), ("OWNER", \.["owner"].cell),
        ("PID", \.["pid"].cell), ("FROM", \.["peer"].cell), ("SINCE", \.["since"].ageCell),
        ("CPU", \.["cpu_ms"].durationCell), ("LEFT", \.["expires_in_ms"].durationCell), ("FENCE", \.["fence"].cell),
        ("NOTE", \.["note"].cell))
      table.dropEmpty("SLOTS", "CPU", "NOTE")
      return table
    }
  }
}

/// The beginning of locks' names, as in `pay` or `pay*`.
struct LockPrefix: ExpressibleByArgument {
  /// Without the star.
  let text: String

  init(argument: String) { text = argument.hasSuffix("*") ? String(argument.dropLast()) : argument }
}

/// `leasehold ready` and `leasehold live`, for probes.
struct ReadyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ready", abstract: "End with 0 when the service is ready to give out locks, else with 69.")

  @OptionGroup var ask: AskOptions

  func run() throws { try ask.probe("readyz") }
}

/// Asks for a sign of life of the service.
struct LiveCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "live", abstract: "End with 0 when the service answers and its clock turns, else with 69.")

  @OptionGroup var ask: AskOptions

  func run() throws { try ask.probe("healthz") }
}
