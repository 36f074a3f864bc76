import Leasehold

/// The thing that a lease is asked to end with.
enum RequestedBinding {
  /// The connection of the request.
  case connection
  /// A process.
  case process(AskedProcess)
}

extension Call {
  /// The thing that the lease shall end with: `connection`, `pid:N`, `peer`, `cgroup` or `cgroup:PATH`; `nil` for
  /// nothing.
  func bond() throws(LeaseholdError) -> RequestedBinding? {
    guard let text = arguments[.bind] else { return nil }
    let asked: AskedProcess
    switch text {
    case "connection":
      try refuseProxies(of: "bind=connection")
      return .connection
    case "peer": asked = .peer
    case "cgroup": asked = .cgroup(nil)
    case _ where text.hasPrefix("cgroup:"): asked = .cgroup(try cgroup(text))
    default:
      let choices = ["connection", "pid:N", "peer", "cgroup", "cgroup:PATH"]
      guard text.hasPrefix("pid:") else { throw .notOneOf(.bind, text, choices) }
      let digits = text.dropFirst(4)
      guard !digits.isEmpty, digits.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), let pid = Int32(digits), pid > 0
      else {
        throw .invalid(.bind, text, "must be pid: and the number of a process, 1...\(Int32.max), as in bind=pid:$$")
      }
      asked = .number(pid)
    }
    try refuseProxies(of: "bind=\(text.excerpt)")
    guard exchange.connection.peer.isLocal else {
      throw .invalid(
        .bind, text,
        "needs the Unix socket, where the kernel tells who asks (serve --unix PATH, curl --unix-socket PATH); over TCP "
          + "use bind=connection, hold or a ttl")
    }
    return .process(asked)
  }

  /// The path of a cgroup, below the root of those that the service sees.
  private func cgroup(_ text: String) throws(LeaseholdError) -> String {
    let path = text.dropFirst("cgroup:".count)
    let steps = path.split(separator: "/")
    guard path.utf8.first == UInt8(ascii: "/"), path.utf8.count < Limits.cgroupBytes, !steps.isEmpty,
      !steps.contains("."), !steps.contains(".."), !path.utf8.contains(0)
    else {
      throw .invalid(
        .bind, text,
        "must be cgroup: and a path below the root as /proc/PID/cgroup has it, at most "
          + "\(Limits.cgroupBytes - 1) bytes, as in bind=cgroup:/system.slice/web.service")
    }
    return String(path)
  }

  /// Adds the process that the lease ends with, and its stop: in place, as a request is large to copy.
  @inline(__always)
  func bind(_ request: inout AcquireRequest, to bond: RequestedBinding?) throws(LeaseholdError) {
    if case .process(let asked) = bond { request.process = try process(asked) }
    if arguments.has(anyOf: .ofStop) { try addStop(to: &request) }
  }

  /// Finds the process that a lease shall be bound to.
  func process(_ asked: AskedProcess) throws(LeaseholdError) -> ProcessBinding {
    if case .cgroup = asked, arguments.has(anyOf: .ofStop) { throw stopWithoutProcess }
    return try server.processes().process(asked, of: caller, socket: exchange.connection.descriptor)
  }

  private var stopWithoutProcess: LeaseholdError {
    .invalid(
      .stop, arguments[.stop] ?? "",
      "goes together with bind=pid:N or bind=peer: one process is stopped. Of a cgroup nothing is: bind the lease "
        + "to its main process, or let systemd end the unit (RuntimeMaxSec=)")
  }

  /// Has the process of a lease stopped before its slots go on.
  func addStop(to request: inout AcquireRequest) throws(LeaseholdError) {
    guard try word(.stop, ["term"]) != nil else {
      throw .invalid(.grace, arguments[.grace] ?? "", "goes together with stop=term")
    }
    guard let process = request.process else { throw stopWithoutProcess }
    guard request.cooldown == .zero, request.holdAtLeast == .zero else {
      throw .invalid(
        .stop, "term",
        "cannot go together with cooldown or hold_at_least: the slots stay taken until the process is gone")
    }
    try server.processes().checkStop(of: process, for: caller)
    request.process = process.stopping(after: try span(.grace, .milliseconds(100), .seconds(3600)) ?? .seconds(5))
  }

  /// Refuses parameters that would bind a hold to something other than its connection.
  func checkHold() throws(LeaseholdError) {
    if let text = arguments[.bind], text != "connection" { throw .notOneOf(.bind, text, ["connection"]) }
    if arguments.has(anyOf: .ofStop) { throw stopWithoutProcess }
    try refuseProxies(of: "hold")
  }

  /// Refuses HTTP/1.0, which does not have the chunks that an open answer needs.
  func checkVersion(_ what: String) throws(LeaseholdError) {
    guard exchange.version != .http11 else { return }
    throw LeaseholdError(
      .malformedRequest,
      "\(what) needs HTTP/1.1, because its answer has no length, and the request came as HTTP/1.0. A proxy may have "
        + "made that of it: nginx needs 'proxy_http_version 1.1'.")
  }

  /// Refuses a connection that a proxy made, which says nothing about the client behind it.
  private func refuseProxies(of what: String) throws(LeaseholdError) {
    for (name, header) in [("Via", HeaderName.via), ("Forwarded", .forwarded), ("X-Forwarded-For", .xForwardedFor)]
    where exchange.header(header) != nil {
      throw LeaseholdError(
        .invalidParameter,
        "This request came through a proxy (\(name)), whose connection is not its client's, so \(what) would bind the "
          + "lease to the proxy. Call without the proxy, or use a ttl and renew.",
        facts: [("parameter", .text("bind")), ("header", .text(name))])
    }
  }
}
