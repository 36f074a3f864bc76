internal import ArgumentParser
internal import Glibc
internal import LeaseholdClient
internal import LeaseholdHost

/// `leasehold acquire`: takes a lock and prints the lease.
struct AcquireCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "acquire", abstract: "Take a lock and print the lease's id.",
    discussion: """
      Waits without end unless -w or -n is given. The lease ends by itself after its ttl: renew it in time. \
      `leasehold run` does all of that for a command.
      """)

  @OptionGroup var lock: LockOptions

  @Option(
    help: ArgumentHelp(
      "End the lease with process N: pid:N; with the last process of your cgroup: cgroup; of another one: cgroup:PATH. "
        + "Needs a Unix socket.", valueName: "binding"))
  var bind: String?

  @Option(
    help: ArgumentHelp(
      "With --bind pid:N: stop the process before the lock goes on. It gets TERM this long before the deadline, and "
        + "KILL at it.", valueName: "time"))
  var grace: String?

  @OptionGroup var ask: AskOptions

  @Argument(
    help: ArgumentHelp("Names of locks; with several, all or none are taken.", valueName: "lock"),
    completion: Known.locks)
  var keys: [String]

  mutating func run() throws {
    var options = try lock.lease()
    options.binding = bind.map(Binding.init)
    if case .cgroup = options.binding { lock.noStart = true }
    options.stopGrace = try grace.map { try LockOptions.duration($0, of: "--grace") }
    let lease = try failing(isQuiet: lock.quiet) {
      let endpoint = try ask.service.endpoint(mayStart: !lock.noStart, for: options.binding)
      var acquisition = try lock.acquisition(endpoint, keys, options)
      return try acquisition.lease()
    }
    Output.write(ask.json ? VisibleText.ofJSON("\(lease.json)") : lease.id)
  }
}

/// `leasehold release`: gives leases back.
struct ReleaseCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "release", abstract: "Give leases back; a second time is no error.")

  @Flag(help: "Free the lock at once, even if --at-least keeps it.")
  var early = false

  @OptionGroup var ask: AskOptions

  @Argument(help: ArgumentHelp("The id that acquire printed; - reads ids from standard input.", valueName: "lease"))
  var leases: [String]

  func run() throws {
    if !ask.service.isNamed { OwnService.revive() }
    let leases = named(leases)
    for lease in leases {
      try ask.show(Request("DELETE", ["leases", lease], query: early ? [("early", "true")] : [])) { answer in
        answer["kept_until"].string.map { "kept until \(VisibleText.of($0))" } ?? ""
      }
    }
  }
}

/// The leases of a command line, or of the lines of standard input that are not empty.
private func named(_ leases: [String]) -> [String] {
  leases == ["-"] ? AnyIterator { readLine() }.filter { !$0.isEmpty } : leases
}

/// `leasehold renew`: moves a lease's deadline.
struct RenewCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "renew", abstract: "Move deadlines of leases to their ttl from now.")

  @Option(help: ArgumentHelp("A new ttl (default: the lease's own).", valueName: "time"))
  var ttl: String?

  @Option(help: ArgumentHelp("A new note, of one lease.", valueName: "text"))
  var note: String?

  @OptionGroup var ask: AskOptions

  @Argument(
    help: ArgumentHelp(
      "The ids that acquire printed, renewed with one request; - reads ids from standard input.", valueName: "lease"))
  var leases: [String]

  func run() throws {
    if note != nil, leases.count > 1 || leases == ["-"] {
      throw ValidationError("--note is of one lease; give one")
    }
    if !ask.service.isNamed { OwnService.revive() }
    let ttl = try ttl.map { try LockOptions.duration($0, of: "--ttl").wireText }
    guard leases != ["-"], leases.count == 1 else { return try renewTogether(ttl) }
    let request = Request("POST", ["leases", leases[0], "renew"], given: ["ttl": ttl, "note": note])
    try ask.show(request) { "ends in " + Self.end(of: $0) }
  }

  private static func end(of lease: JSON) -> String {
    lease["expires_in_ms"].durationCell ?? "no time: no clock ends it"
  }

  /// One heartbeat for all; the first that is lost decides the status, and each is named.
  private func renewTogether(_ ttl: String?) throws {
    let leases = named(leases)
    var lost: [JSON] = []
    for begin in stride(from: 0, to: leases.count, by: Self.atOnceMax) {
      let some = leases[begin..<min(begin + Self.atOnceMax, leases.count)]
      let request = Request(
        "POST", ["leases", "renew"], json: ["leases": .texts(Array(some)), "ttl": ttl.map(JSON.string)])
      lost += try ask.show(request) { answer in
        answer["renewed"].elements.map { "\($0["lease"].cell ?? "?") ends in \(Self.end(of: $0))" }
          .joined(separator: "\n")
      }["lost"].elements
    }
    for lease in lost { Output.complain("\(lease["lease"].string ?? "?"): \(lease["detail"].string ?? "")") }
    guard let first = lost.first else { return }
    throw Failure("", first["code"].string == "no-such-lease" ? .noInput : .software)
  }

  /// What one request takes.
  private static let atOnceMax = 1000
}

/// The lease that a command is about: one that is named, else that of the `run` around it.
struct LeaseOption: ParsableArguments {
  @Option(help: ArgumentHelp("The lease (default: $LEASEHOLD_LEASE, that of the `run` around it).", valueName: "lease"))
  var lease: String?

  func id() throws -> String {
    if let id = lease ?? Environment.value("LEASEHOLD_LEASE") { return id }
    throw ValidationError("there is no `leasehold run` around this; name the lease: --lease LEASE")
  }
}

/// `leasehold add`: more locks for a lease.
struct AddCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "add", abstract: "Add locks to a lease that you hold, at once, all or none.",
    discussion: "The lease keeps what it has, and all of it ends as one. Never waits, because others may wait for you.")

  @OptionGroup var lease: LeaseOption

  @Flag(name: .shortAndLong, help: "Share the locks with others that share them.")
  var shared = false

  @Option(
    name: [.customShort("j"), .customLong("slots")],
    help: ArgumentHelp("At most this many at once.", valueName: "slots"))
  var limit: Int?

  @OptionGroup var ask: AskOptions

  @Argument(help: ArgumentHelp("Names of locks.", valueName: "lock"), completion: Known.locks)
  var keys: [String]

  func run() throws {
    let id = try lease.id()
    if !ask.service.isNamed { OwnService.revive() }
    let wants = keys.map { Want($0, mode: shared ? .shared : .exclusive, slots: limit) }
    try ask.show(Request("POST", ["leases", id, "add"], json: ["want": Want.list(wants)])) { answer in
      answer["locks"].elements.map { VisibleText.of($0["key"].string ?? "") }.joined(separator: "\n")
    }
  }
}

/// `leasehold note`: a holder says something of itself.
struct NoteCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "note", abstract: "Show a short text beside your lease to everyone who asks.",
    discussion: """
      The text may be a progress or an address. `locks LOCK`, `leases`, `top`, the page and refusals show it. It has \
      at most 128 bytes; an empty text clears it. A restart of the service forgets it.
      """)

  @OptionGroup var lease: LeaseOption

  @OptionGroup var ask: AskOptions

  @Argument(help: ArgumentHelp("The text.", valueName: "text"))
  var text: String

  func run() throws {
    let id = try lease.id()
    if !ask.service.isNamed { OwnService.revive() }
    try ask.show(Request("PUT", ["leases", id, "note"], query: [("note", text)])) { _ in "" }
  }
}

/// `leasehold hold`: holds a lock as long as it runs.
struct HoldCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "hold", abstract: "Hold a lock until this command ends.",
    discussion: """
      Prints the lease's id as soon as it has the lock. The lease lives as long as the connection: however this \
      command ends, the lock is free. Ends with 70 when the lease ends first.
      """)

  @OptionGroup var lock: LockOptions
  @OptionGroup var ask: AskOptions

  @Argument(help: ArgumentHelp("The lock's name.", valueName: "lock"), completion: Known.locks)
  var key: String

  func run() throws {
    let endpoint = try ask.service.endpoint(mayStart: !lock.noStart)
    var options = try lock.lease()
    options.wait = try lock.waiting() ?? .seconds(3600)
    options.holding = Enclosing.current.held(at: endpoint)
    if !options.holding.isEmpty { options.wait = max(options.wait, .milliseconds(1)) }
    let request = options.request(for: [lock.want(key)], verb: "hold").within(options.wait + .seconds(5))
    let isWaiting = options.wait > .zero
    let ended = try failing(isQuiet: lock.quiet) {
      do {
        return try follow(request, at: endpoint, isWaiting: isWaiting)
      } catch ClientError.unreachable where OwnService(at: endpoint, mayStart: !lock.noStart) != nil {
        // It ended, having been idle, while we asked.
        try OwnService(at: endpoint, mayStart: true)?.start()
        return try follow(request, at: endpoint, isWaiting: isWaiting)
      }
    }
    throw Failure("the lease ended: \(ended ?? "the connection was closed")", .software)
  }

  /// Prints what comes until the lease ends; why it did.
  private func follow(
    _ request: Request, at endpoint: ServiceEndpoint, isWaiting: Bool
  ) throws(ClientError) -> String? {
    var hasLease = false
    var ended: String?
    let start = HostClock.monotonic()
    let connection = LeaseholdConnection(endpoint)
    return try WaitWatch.during(connection, isNeeded: isWaiting, key: key, quiet: lock.quiet) {
      watch throws(ClientError) in
      _ = try connection.stream(request, silence: .seconds(60)) { line throws(ClientError) in
        watch?.stop()
        if ask.json { Output.writeJSON(Array(line.utf8)) }
        let event = JSON(Array(line.utf8)) ?? .null
        if !hasLease, lock.verbose { Acquisition.tell([key], since: start) }
        if !hasLease, !ask.json { Output.write(event["lease"].string ?? "") }
        hasLease = true
        ended = event["ended"].string ?? ended
        return ended == nil
      }.checked()
      return ended
    }
  }
}

/// `leasehold break`: ends another holder's lease.
struct BreakCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "break", abstract: "End another holder's lease; for operators.",
    discussion: "The holder learns of it when it renews. Fences keep out its later writes.")

  @Option(help: ArgumentHelp("Give the holder this time to finish.", valueName: "time"))
  var after: String?

  @Option(help: ArgumentHelp("Why, for the holder and the log.", valueName: "text"))
  var reason: String?

  @OptionGroup var ask: AskOptions

  @Argument(
    help: ArgumentHelp("The ref that `leasehold leases` shows, or the lease's id.", valueName: "ref"),
    completion: Known.refs)
  var lease: String

  func run() throws {
    let after = try after.map { try LockOptions.duration($0, of: "--after").wireText }
    try ask.show(Request("POST", ["leases", lease, "break"], given: ["after": after, "reason": reason])) { answer in
      guard let key = answer["key"].string.map({ VisibleText.of($0) }) else { return "broken" }
      let left = answer["broken"].bool == false ? answer["breaking_in_ms"].durationCell : nil
      return left.map { "the lease on \(key) ends in \($0)" } ?? "broke the lease on \(key)"
    }
  }
}

/// `leasehold resize`: gives a counting lock another limit.
struct ResizeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "resize", abstract: "Give a lock another number of slots, or pause it; for operators.",
    discussion: """
      With more slots, waiters are served at once. With fewer, nobody loses a slot, and nothing is granted until the \
      held slots fit. With 0 slots the lock is paused: its queue stays, and nothing is granted until the next resize.
      """)

  @Flag(help: "Keep this number, whatever callers ask for, and keep the lock when nobody uses it.")
  var pinned = false

  @OptionGroup var ask: AskOptions

  @Argument(help: ArgumentHelp("The lock's name.", valueName: "lock"), completion: Known.locks)
  var key: String

  @Argument(help: ArgumentHelp("Slots, 0 to 32767; or their names, such as gpu0,gpu1.", valueName: "slots"))
  var slots: String

  func run() throws {
    let isNumber = Int(slots) != nil
    let query = [(isNumber ? "limit" : "slots", slots), ("resize", "true")] + (pinned ? [("pinned", "true")] : [])
    try ask.show(Request("PUT", ["locks", key], query: query)) { lock in
      let over = lock["over_limit"].int ?? 0
      let number = lock["limit"].int ?? 0
      let names = lock["slots"].elements.compactMap(\.string).joined(separator: ", ")
      let has = isNumber ? " has \(number) slots" : " has the slots \(names)"
      return VisibleText.of(lock["key"].string ?? "") + (number == 0 ? " is paused" : has)
        + (over > 0 ? "; \(over) more are held, and go to nobody when they come back" : "")
    }
  }
}
