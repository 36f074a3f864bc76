internal import ArgumentParser
internal import CSupervise
internal import Glibc
internal import LeaseholdClient
internal import LeaseholdHost

/// `leasehold run`: holds a lock, or several, while a command runs.
struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Run a command while holding a lock.",
    usage: """
      leasehold run [<options>] <lock> <command> [<argument> ...]
             leasehold run [<options>] <lock> -c <text for the shell>
             leasehold run [<options>] <lock> ... -- <command> [<argument> ...]
      """,
    discussion: """
      Waits for the lock, without end unless you give -w or -n. Then it runs the command, renews the lease meanwhile, \
      and gives the lock back when the command ends. When the lease cannot be renewed, the command is stopped before \
      the lease ends: it gets TERM, and KILL after the grace. The command is started without a shell, in a process \
      group of its own. Signals and standard input are passed on to it. Its environment has LEASEHOLD_LEASE, \
      LEASEHOLD_FENCE, LEASEHOLD_LOCK, LEASEHOLD_HOLDING and LEASEHOLD_URL; where slots have names, LEASEHOLD_SLOT.

      The second word begins the command. Write -- before it when you name several locks, or when the command has a -- \
      of its own. The same lock taken again below the command is refused at once.

      The status is the command's, or 128 + n when signal n ended it. Otherwise it is 75 when others hold the lock, 69 \
      when the service cannot be reached, 70 when the lease was lost, 64 for a wrong command line, 77 when the \
      service denies it, and 126 or 127 when the command cannot be run or found.
      """)

  @OptionGroup var lock: LockOptions

  @Option(
    name: [.customShort("E"), .customLong("conflict-exit-code")],
    help: ArgumentHelp("The status when others hold the lock (default: 75).", valueName: "status"))
  var conflictStatus: Int?

  @Option(
    help: ArgumentHelp(
      "Time from TERM to KILL (default: 5s, at most a third of the ttl). With --exec the service stops the command, at "
        + "the end of --ttl or when an operator ends the lease; only then.", valueName: "time"))
  var grace: String?

  @Flag(
    name: .customLong("yield"),
    help: "Stop the command, as when the lease is lost, once a newer one of the same --newest waits.")
  var yields = false

  @Flag(
    name: [.customShort("F"), .customLong("exec"), .customLong("no-fork")],
    help: "Become the command; the lease ends with the process. Needs a Unix socket.")
  var exec = false

  @Option(
    help: ArgumentHelp(
      "With --exec: end the lease not with the command alone, but with the last process of its cgroup: cgroup. No "
        + "service of your own is started for it.",
      valueName: "binding"))
  var bind: String?

  @Flag(help: "Leave LEASEHOLD_TOKEN in the command's environment.")
  var keepToken = false

  @OptionGroup var service: ServiceOptions

  @Argument(
    help: ArgumentHelp("Names of locks; with several, all or none are taken.", valueName: "lock"),
    completion: Known.locks)
  var keys: [String]

  // For the help alone: it is taken before the parser is asked.
  @Option(
    name: [.customShort("c"), .customLong("command")],
    help: ArgumentHelp("Run this text with sh -c, in place of a command.", valueName: "text"))
  var script: String?

  // The parser cannot have two lists of positional arguments, and words that are not UTF-8 must stay as they are: the
  // command is looked up where it is.
  @Option(name: .customLong(RunCommand.commandMark), help: .hidden)
  var commandPlace: String?

  static let commandMark = "command-at"

  /// The arguments after the program's name, for the parser: flock's letters spelled out, and of `run`, the command
  /// gives way to its place.
  static func marked(_ arguments: [String]) throws(Failure) -> [String] {
    guard FlockLetters.areMeant(by: arguments) else { return arguments }
    let letters = try FlockLetters(arguments)
    return letters.spelled + (letters.command.map { ["--\(commandMark)=\($0.text)"] } ?? [])
  }

  func validate() throws {
    if commandPlace == nil {
      throw ValidationError("no command: give it after the lock, as in `leasehold run deploy ./deploy.sh`")
    }
    if let conflictStatus, !(0...255).contains(conflictStatus) { throw ValidationError("-E must be 0 to 255") }
    if let grace { _ = try LockOptions.duration(grace, of: "--grace") }
    if exec, lock.ttl != nil, grace == nil {
      throw ValidationError(
        "--exec has no ttl, as nobody renews its lease, which ends with the process; with --grace the service stops it")
    }
    if bind != nil, grace != nil { throw ValidationError("--grace stops the command, and no cgroup: leave out --bind") }
  }

  mutating func run() throws {
    guard let command = commandPlace.flatMap(CommandPlace.init).flatMap(CommandWords.init) else {
      throw ValidationError("no command")
    }
    if let bind {
      guard exec else { throw ValidationError("--bind needs --exec: without it the lease ends with the command") }
      guard case .cgroup = Binding(bind) else { throw ValidationError("--bind must be cgroup or cgroup:PATH") }
      lock.noStart = true
    }
    if yields, lock.newest == nil || exec { throw ValidationError("--yield goes with --newest, and without --exec") }
    let busy = conflictStatus.map { Int32($0) } ?? ExitStatus.temporaryFailure.rawValue
    let endpoint = try service.endpoint(mayStart: !lock.noStart, for: bind.map(Binding.init))
    if exec {
      try failing(busy: busy, isQuiet: lock.quiet) { try replace(command, endpoint) }
    } else {
      throw ExitCode(try failing(busy: busy, isQuiet: lock.quiet) { try supervise(command, endpoint) })
    }
  }

  /// Why there is no such program, where it may be the second half of the command that was meant.
  private func explained(_ error: any Error) -> any Error {
    guard let failure = error as? Failure, failure.status == 127, keys.count > 1 else { return error }
    return Failure(
      message: failure.message + "; '\(keys[1])' is taken for a lock, as every word before -- is", status: 127)
  }

  /// The owner where none was given: the command's name and our process id.
  private func owner(_ command: CommandWords) -> String {
    let name = command.program.split(separator: "/").last.map(String.init) ?? ""
    let shown = String(String.UnicodeScalarView(name.unicodeScalars.prefix(30).filter(\.isShown)))
    return "\(shown)[\(getpid())]"
  }

  private func acquisition(_ command: CommandWords, _ endpoint: ServiceEndpoint) throws -> Acquisition {
    var options = try lock.lease()
    if options.label == nil { options.label = owner(command) }
    return try lock.acquisition(endpoint, keys, options)
  }

  private func environment(_ lease: Grant, _ endpoint: ServiceEndpoint) -> CStringList {
    let slots = lease.slots.isEmpty ? [] : [(name: "LEASEHOLD_SLOT", value: lease.slots.joined(separator: ","))]
    return Environment.with(
      [
        (name: "LEASEHOLD_LEASE", value: lease.id), (name: "LEASEHOLD_FENCE", value: "\(lease.fence)"),
        (name: "LEASEHOLD_LOCK", value: keys.joined(separator: "\n")), Enclosing.current.variable(adding: lease),
      ] + slots + Environment.naming(endpoint), keepingToken: keepToken)
  }

  private func supervise(_ command: CommandWords, _ endpoint: ServiceEndpoint) throws -> Int32 {
    var acquisition = try acquisition(command, endpoint)
    let asking = acquisition.request(wait: .seconds(1), idempotencyKey: LeaseholdClient.randomKey())
    let guardian = Guardian(endpoint: endpoint, asking: asking)
    acquisition.guardian = guardian
    let lease: Grant
    do {
      lease = try acquisition.lease()
    } catch {
      // Where it is not known whether there is a lease, the guard finds out: it does when we end.
      if error.problem != nil { guardian.done() }
      throw error
    }
    guardian.holds(lease)
    let grace = try wantedGrace(lease)
    let renewal = Renewal(
      endpoint: endpoint, lease: lease,
      deadline: lease.deadline(sentFirst: acquisition.sent.first, last: acquisition.sent.last), own: acquisition.own,
      yields: yields
    ) {
      guardian.move(to: Supervisor.guardTime(deadline: $0, grace: grace))
    }
    let supervisor: Supervisor
    do {
      supervisor = try Supervisor(command: command, renewal: renewal, guardian: guardian, grace: grace)
      try renewal.confirm()
      if let deadline = renewal.deadline { guardian.move(to: Supervisor.guardTime(deadline: deadline, grace: grace)) }
      try supervisor.start(environment: environment(lease, endpoint))
    } catch {
      renewal.stop()
      _ = giveBack(lease, endpoint, before: renewal.deadline)
      guardian.done()
      throw explained(error)
    }
    renewal.start()
    let status = supervisor.finish()
    renewal.stop()
    guardian.ended()
    supervisor.reap()
    let lost = giveBack(lease, endpoint, before: renewal.deadline)
    guardian.done()
    if supervisor.lost != nil { return ExitStatus.software.rawValue }
    if let lost { throw Failure("the command ended, but had lost its lease before: \(lost)", .software) }
    return ExecResult.status(ofWait: status)
  }

  /// Releases the lease; why it was over before, if it was.
  ///
  /// - Parameter deadline: When it ends by itself: there is no use in asking much longer.
  private func giveBack(_ lease: Grant, _ endpoint: ServiceEndpoint, before deadline: Int64?) -> String? {
    let connection = LeaseholdConnection(endpoint)
    let request = Request("DELETE", ["leases", lease.id])
    let (soon, late) = (HostClock.monotonic(after: .milliseconds(250)), HostClock.monotonic(after: .seconds(6)))
    let end = max(soon, min(deadline ?? late, late))
    while true {
      let left = Duration.nanoseconds(max(0, end - HostClock.monotonic()))
      do throws(ClientError) {
        _ = try connection.send(request.within(min(.seconds(2), left))).checked()
        return nil
      } catch {
        if let problem = error.problem, !problem.isTemporary { return problem.spoken }
        if case .unreachable = error {
          try? OwnService(at: endpoint, mayStart: !lock.noStart)?.start(within: .seconds(2))
        }
      }
      guard HostClock.monotonic(after: .milliseconds(200)) < end else { break }
      poll(nil, 0, 200)
    }
    Output.complain("cannot reach the service: the lock stays taken until its time is up")
    return nil
  }

  private func wantedGrace(_ lease: Grant) throws -> Duration {
    let wanted = try grace.map { try LockOptions.duration($0, of: "--grace") } ?? .seconds(5)
    return lease.ttl.map { min(wanted, $0 / 3) } ?? wanted
  }

  /// Takes the lock bound to this process and becomes the command.
  private func replace(_ command: CommandWords, _ endpoint: ServiceEndpoint) throws {
    guard case .unix = endpoint.address else {
      throw Failure(
        "--exec needs the Unix socket, which tells the service who asks: give --url unix:/run/leasehold/leasehold.sock",
        .usage)
    }
    var acquisition = try acquisition(command, endpoint)
    if lock.ttl == nil { acquisition.options.ttl = .zero }
    acquisition.options.stopGrace = try grace.map { try LockOptions.duration($0, of: "--grace") }
    acquisition.options.binding = bind.map(Binding.init) ?? .process(getpid())
    let lease = try acquisition.lease()
    let code = csupervise_exec(command.pointer, environment(lease, endpoint))
    _ = giveBack(lease, endpoint, before: nil)
    throw explained(ExecResult.failure(command.program, code: code))
  }
}
