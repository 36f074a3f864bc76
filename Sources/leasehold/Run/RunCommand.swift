internal import ArgumentParser
internal import CSupervise
internal import Glibc
internal import LeaseholdClient

/// `leasehold run`: holds a lock, or several, while a command runs.
struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Run a command while holding a lock.",
    usage: "leasehold run [<options>] <key> ... -- <command> [<argument> ...]",
    discussion: """
      Waits for the lock, without end unless -w or --no-wait is given, runs the command, renews the lease meanwhile, \
      and gives it back when the command ends. A command whose lease cannot be renewed is stopped before the lease \
      ends: TERM, and KILL after the grace. The command is started without a shell, in a process group of its own; \
      signals and standard input are passed on to it. It finds LEASEHOLD_LEASE, LEASEHOLD_FENCE, LEASEHOLD_LOCK and \
      LEASEHOLD_URL in its environment.

      Ends with the command's status, or 128 + n when signal n ended it; else with 75 when others hold the lock, 69 \
      when the service cannot be reached, 70 when the lease was lost, 64 for a wrong command line, 77 when the \
      service denies it, 126 and 127 when the command cannot be run or found.
      """)

  @OptionGroup var lock: LockOptions

  @Option(
    name: [.customShort("E"), .customLong("conflict-exit-code")],
    help: ArgumentHelp("The status when others hold the lock (default: 75).", valueName: "status"))
  var conflictStatus: Int32?

  @Option(help: ArgumentHelp("From TERM to KILL (default: 5s, at most a third of the ttl).", valueName: "time"))
  var grace: String?

  @Flag(
    name: [.customShort("F"), .customLong("exec"), .customLong("no-fork")],
    help: "Become the command; the lease ends with the process. Needs a Unix socket.")
  var exec = false

  @OptionGroup var service: ServiceOptions

  @Argument(
    help: ArgumentHelp("Names of locks; with several, all or none are taken.", valueName: "key"),
    completion: Known.locks)
  var keys: [String]

  // Two lists of positional arguments cannot be had, and words that are not UTF-8 must stay as they are: what follows
  // `--` is looked up where it is.
  @Option(name: .customLong(RunCommand.commandMark), help: .hidden)
  var commandIndex: Int?

  private static let commandMark = "command-at"

  /// The arguments after the program's name, for the parser: of `run`, the command gives way to its place.
  static func marked(_ arguments: [String]) -> [String] {
    guard arguments.first == "run", let end = arguments.firstIndex(of: "--") else { return arguments }
    return arguments[..<end] + (end + 1 < arguments.count ? ["--\(commandMark)=\(end + 2)"] : [])
  }

  func validate() throws {
    if commandIndex == nil {
      throw ValidationError("no command: give it after --, as in `leasehold run deploy -- ./deploy.sh`")
    }
    if let conflictStatus, !(0...255).contains(conflictStatus) { throw ValidationError("-E must be 0 to 255") }
    if let grace { _ = try LockOptions.duration(grace, of: "--grace") }
    if exec, lock.ttl != nil { throw ValidationError("--exec has no ttl: its lease ends with the process") }
    if exec, grace != nil { throw ValidationError("--exec leaves nobody who could stop the command") }
  }

  func run() throws {
    guard let command = commandIndex.flatMap({ CommandWords(at: $0) }) else {
      throw ValidationError("no command")
    }
    let busy = conflictStatus ?? ExitStatus.temporaryFailure.rawValue
    let endpoint = try failing { try service.endpoint() }
    if exec {
      try failing(busy: busy) { try replace(command, endpoint) }
    } else {
      throw ExitCode(try failing(busy: busy) { try supervise(command, endpoint) })
    }
  }

  /// Who holds the lock, where nothing was said: the command's name and our number.
  private func label(_ command: CommandWords) -> String {
    let name = command.program.split(separator: "/").last.map(String.init) ?? ""
    return "\(Table.clean(String(name.prefix(30))))[\(getpid())]"
  }

  private func acquisition(_ command: CommandWords, _ endpoint: ServiceEndpoint) throws -> Acquisition {
    var options = try lock.lease()
    if options.label == nil { options.label = label(command) }
    return Acquisition(endpoint: endpoint, keys: keys, options: options, patience: try lock.waiting())
  }

  private func environment(_ lease: Lease, _ endpoint: ServiceEndpoint) -> CStringList {
    Environment.with(
      [
        (name: "LEASEHOLD_LEASE", value: lease.id), (name: "LEASEHOLD_FENCE", value: "\(lease.fence)"),
        (name: "LEASEHOLD_LOCK", value: keys.joined(separator: "\n")),
      ] + Environment.naming(endpoint))
  }

  private func supervise(_ command: CommandWords, _ endpoint: ServiceEndpoint) throws -> Int32 {
    var acquisition = try acquisition(command, endpoint)
    let asking = acquisition.request(wait: .seconds(1), idempotencyKey: LeaseholdClient.randomKey())
    let guardian = Guardian(endpoint: endpoint, asking: asking)
    acquisition.guardian = guardian
    let lease: Lease
    do {
      lease = try acquisition.lease()
    } catch {
      // Where it is not known whether there is a lease, the guard finds out: it does when we end.
      if error.problem != nil { guardian.done() }
      throw error
    }
    guardian.holds(lease)
    let grace = try wantedGrace(lease)
    let renewal = Renewal(endpoint: endpoint, lease: lease) {
      guardian.move(to: Supervisor.guardTime(deadline: $0, grace: grace))
    }
    let supervisor = Supervisor(command: command, renewal: renewal, grace: grace)
    if let deadline = renewal.deadline { guardian.move(to: Supervisor.guardTime(deadline: deadline, grace: grace)) }
    do {
      try supervisor.start(environment: environment(lease, endpoint), guardian: guardian)
    } catch {
      renewal.stop()
      _ = try? LeaseholdConnection(endpoint).send(Request("DELETE", ["leases", lease.id]))
      guardian.done()
      throw error
    }
    renewal.start()
    let status = supervisor.finish()
    renewal.stop()
    guardian.ended()
    supervisor.reap()
    let lost = giveBack(lease, endpoint)
    guardian.done()
    if supervisor.reason != nil { return ExitStatus.software.rawValue }
    if let lost { throw Failure("the command ended, but had lost its lease before: \(lost)", .software) }
    return ExecResult.status(ofWait: status)
  }

  /// Releases the lease; why it was over before, if it was.
  private func giveBack(_ lease: Lease, _ endpoint: ServiceEndpoint) -> String? {
    let connection = LeaseholdConnection(endpoint)
    var request = Request("DELETE", ["leases", lease.id])
    request.timeout = .seconds(2)
    for attempt in 0..<3 {
      if attempt > 0 { poll(nil, 0, 200) }
      do throws(ClientError) {
        _ = try connection.send(request).checked()
        return nil
      } catch {
        if let problem = error.problem, !problem.isTemporary { return problem.detail }
      }
    }
    LogSink.standardError.write("leasehold: cannot reach the service: the lock stays taken until its time is up\n")
    return nil
  }

  private func wantedGrace(_ lease: Lease) throws -> Duration {
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
    acquisition.options.ttl = .zero
    acquisition.options.binding = "pid:\(getpid())"
    let lease = try acquisition.lease()
    let code = csupervise_exec(command.pointer, environment(lease, endpoint))
    _ = try? LeaseholdConnection(endpoint).send(Request("DELETE", ["leases", lease.id]))
    throw ExecResult.failure(command.program, code: code)
  }
}
