internal import ArgumentParser
internal import Leasehold
internal import LeaseholdClient

/// Which service to ask; every command that talks to one has it.
struct ServiceOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Address of the service, such as unix:/run/leasehold/leasehold.sock (default: $LEASEHOLD_URL, else that socket, "
        + "else your own service's, else \(ServiceAddress.standard)).", valueName: "address"))
  var url: String?

  @Option(
    help: ArgumentHelp(
      "PEM file of the CAs to trust for https:// (default: $LEASEHOLD_CACERT, else the CAs of this system).",
      valueName: "file"),
    completion: .file())
  var cacert: String?

  /// True when the user says where the service is.
  var isNamed: Bool { url != nil || Environment.value("LEASEHOLD_URL") != nil }

  /// The service that `--url`, `$LEASEHOLD_URL`, `$LEASEHOLD_TOKEN` and `$LEASEHOLD_CACERT` name, for the trace of
  /// `$TRACEPARENT`.
  ///
  /// - Parameters:
  ///   - mayStart: Whether the user's own service is started where no address is given and no service is there.
  ///   - binding: The end of the lease. For one that ends with a cgroup none is started: it would run in the cgroup of
  ///     the command, which then would never be empty.
  func endpoint(mayStart: Bool = false, for binding: Binding? = nil) throws -> ServiceEndpoint {
    var endpoint = try ServiceEndpoint.fromEnvironment(url: url)
    if let cacert { endpoint.authorities = cacert }
    endpoint.traceparent = Environment.value("TRACEPARENT")
    guard !isNamed, endpoint.address == .standard else { return endpoint }
    if case .cgroup = binding {
      guard !endpoint.address.accepts else { return endpoint }
      throw Failure(
        "there is no service, and --bind cgroup starts none of your own: it would run in the cgroup, which then would "
          + "never be empty; start one elsewhere (systemctl start leasehold, systemd-run --user leasehold serve "
          + "--unix own), or leave --bind away", .unavailable)
    }
    if mayStart { endpoint.address = try OwnService.found() }
    return endpoint
  }
}

/// The options of a lease, for `run`, `acquire` and `hold`.
struct LockOptions: ParsableArguments {
  @Option(
    name: [.customShort("j"), .customLong("slots"), .customLong("limit")],
    help: ArgumentHelp("At most this many at once; or the names of the slots, such as gpu0,gpu1.", valueName: "slots"))
  var slots: String?

  @Option(help: ArgumentHelp("Take the slot with this name; separate several by commas.", valueName: "name"))
  var slot: String?

  @Option(
    name: [.customLong("take"), .customLong("count")],
    help: ArgumentHelp("Slots to take at once, all or none.", valueName: "slots"))
  var count: Int?

  @Flag(name: .shortAndLong, help: "Share the lock with others that share it.")
  var shared = false

  @Flag(name: [.customShort("x"), .customLong("exclusive")], help: "Hold the lock alone; the default.")
  var exclusive = false

  @Option(
    name: [.customShort("w"), .customLong("wait"), .customLong("timeout")],
    help: ArgumentHelp("Time to wait, such as 10s or 5m (default: without end).", valueName: "time"))
  var wait: String?

  @Flag(
    name: [.customShort("n"), .customLong("no-wait"), .customLong("nonblock"), .customLong("nb")],
    help: "Do not wait: fail at once when others hold the lock.")
  var noWait = false

  @Flag(name: .shortAndLong, help: "Say nothing when others hold the lock. Errors are still shown.")
  var quiet = false

  @Flag(help: "Say how long it waited.")
  var verbose = false

  @Option(
    help: ArgumentHelp(
      "Time until the lease ends unless it is renewed, such as 30s (default: the service's).",
      valueName: "time"))
  var ttl: String?

  @Option(
    name: [.customLong("owner"), .customLong("label")],
    help: ArgumentHelp("Name of the holder, for people.", valueName: "text"))
  var owner: String?

  @Option(help: ArgumentHelp("Text about the holder, such as its address; see `note`.", valueName: "text"))
  var note: String?

  @Option(
    help: ArgumentHelp(
      "Be the newest of a group: older ones of it that wait end with 75, and its holder is asked to yield.",
      valueName: "group"))
  var newest: String?

  @Option(
    help: ArgumentHelp(
      "Keep the lock for this long after the grant, even when it is released earlier: a job runs at most once in that "
        + "time.", valueName: "time"))
  var atLeast: String?

  @Flag(help: "Fail if there is no service, instead of starting your own.")
  var noStart = false

  func validate() throws {
    if shared, exclusive { throw ValidationError("-s and -x cannot be had together") }
    if shared, slots != nil || slot != nil {
      throw ValidationError("-s is for readers-writer locks, -j for counting locks")
    }
    if noWait, wait != nil { throw ValidationError("-n and -w cannot be had together") }
    if let limit, limit < 1 { throw ValidationError("-j must be 1 or more") }
    if let slots, limit == nil, slots.hasPrefix("-") || !slots.contains(",") {
      throw ValidationError("-j must be a number, 1 or more, or names with commas between; '\(slots)' is neither")
    }
    for (name, text) in [("-w", wait), ("--ttl", ttl), ("--at-least", atLeast)] {
      if let text { _ = try Self.duration(text, of: name) }
    }
  }

  /// The number of slots, where it is no list of names.
  var limit: Int? { slots.flatMap { Int($0) } }

  /// The options of the lease that was asked for, but for the waiting.
  func lease() throws -> LeaseOptions {
    var options = LeaseOptions()
    options.ttl = try ttl.map { try Self.duration($0, of: "--ttl") }
    options.label = owner
    options.note = note
    options.newest = newest
    options.holdAtLeast = try atLeast.map { try Self.duration($0, of: "--at-least") }
    return options
  }

  /// The time to wait; `nil` when nothing was said.
  func waiting() throws -> Duration? {
    noWait ? .zero : try wait.map { try Self.duration($0, of: "-w") }
  }

  static func duration(_ text: String, of name: String) throws -> Duration {
    guard let span = TimeSpan(text: text.utf8) else {
      throw ValidationError("\(name): '\(text)' is not a duration; give something like 250ms, 30s, 1.5m or 2h")
    }
    return .nanoseconds(span.nanoseconds)
  }
}
