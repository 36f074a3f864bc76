internal import Glibc
internal import LeaseholdClient
internal import LeaseholdHost

/// The service as this process sees it: reachable, in the same IPC namespace, and every missing unit explained.
struct ServiceCheck {
  let endpoint: ServiceEndpoint

  /// All findings, and the uid that the service's sets belong to.
  func findings() -> (findings: [Finding], uid: Int64?) {
    var findings = socket()
    let connection = LeaseholdConnection(endpoint)
    let ready: JSON
    do throws(ClientError) {
      let response = try connection.send(Request("GET", ["readyz"]))
      ready = response.json
      let status = ready["status"].string ?? ready["detail"].string ?? "no answer"
      findings.append(
        response.status == 200
          ? .ok("service", "ready at \(endpoint.address)") : .problem("service", "not ready: \(status)"))
    } catch {
      // A user who may not use the socket was told so: the service need not be down.
      if findings.allSatisfy({ $0.level != .problem }) {
        findings.append(.problem("service", "\(error)", fix: remedy()))
      }
      return (findings, nil)
    }
    findings.append(
      Self.isHere(endpoint.address)
        ? Self.namespace(ready["ipc_namespace"].int, HostFile.inode(of: "/proc/self/ns/ipc").map(Int64.init))
        : .note("IPC namespace", "not compared: the service may be on another host, whose native programs it meets"))
    findings += ClusterCheck.findings((try? connection.send(Request("GET", ["version"])).json["engine"]) ?? .null)
    let sets = (try? connection.send(Request("GET", ["semaphores"], query: [("limit", "1000")])).json) ?? .null
    let uid = sets["semaphores"].elements.first { $0["leasehold"]["role"].string == "control" }?["uid"].int
    findings += missingUnits(connection)
    return (findings, uid)
  }

  /// The remedy that lets the user reach a service: another address when one answers there, as there is one a host;
  /// else a start.
  private func remedy() -> String? {
    let start = Self.start(endpoint.address, hasUnit: SystemdCheck().unitFile != nil)
    guard start != nil,
      let other = [.system, .unix(path: OwnFolder.current.socket), .standard].first(where: Self.answers)
    else {
      return start
    }
    guard case .unix(let path) = endpoint.address else { return "export LEASEHOLD_URL=\(other)" }
    return "export LEASEHOLD_URL=\(other)  # a service answers there; or start that one with --unix "
      + ShellWord.quoted(path)
  }

  private static func answers(_ address: ServiceAddress) -> Bool {
    let request = Request("GET", ["healthz"]).within(.seconds(1))
    return (try? LeaseholdConnection(ServiceEndpoint(address)).send(request)) != nil
  }

  /// The way to start a service that listens there; `nil` where only that host's people can.
  ///
  /// The installed unit listens where it says: anywhere else is for a service of one's own.
  static func start(_ address: ServiceAddress, hasUnit: Bool) -> String? {
    switch address {
    case .unix(let path):
      hasUnit && address == .system ? "systemctl start leasehold" : "leasehold serve --unix \(ShellWord.quoted(path))"
    case _ where !isHere(address): nil
    case .standard: hasUnit ? "systemctl start leasehold" : "leasehold serve"
    case .tcp(let host, let port), .tls(let host, let port):
      "leasehold serve --port \(port)" + (host == "localhost" || host == "127.0.0.1" ? "" : " --host \(host)")
        + (address == .tcp(host: host, port: port) ? "" : " --tls-cert CERT.pem --tls-key KEY.pem")
    }
  }

  /// The remedy that lets a user use another user's socket; membership in root's group is no way.
  static func socketFix(mode: UInt32, group: String, groupIsRoot: Bool, user: String) -> String {
    if mode & 0o020 == 0 { return "# serve with --unix-mode 0660, or ask as the socket's owner" }
    if groupIsRoot { return "# serve as a user of its own, as the Debian package does, or ask as root" }
    return "usermod -aG \(group) \(user)  # then log in anew"
  }

  /// Returns true when an address can only be of this host.
  static func isHere(_ address: ServiceAddress) -> Bool {
    // The resolver, which a command asks, knows 127.1 too.
    address.hostAndPort.map { ServeOptions.isLoopback($0.host) || $0.host.hasPrefix("127.") } ?? true
  }

  /// - Parameters:
  ///   - service: The number of the service's namespace.
  ///   - own: The number of this process's.
  static func namespace(_ service: Int64?, _ own: Int64?) -> Finding {
    guard let service, let own else { return .note("IPC namespace", "cannot be compared") }
    if own == service { return .ok("IPC namespace", "the same as the service's, \(service)") }
    return .problem(
      "IPC namespace",
      "the service is in \(service), this shell in \(own): native programs here cannot meet it",
      fix:
        "# start both in one namespace: compose `ipc: \"service:leasehold\"`, a Kubernetes pod, systemd PrivateIPC=no")
  }

  private func socket() -> [Finding] {
    guard case .unix(let path) = endpoint.address else { return [] }
    var status = stat()
    guard stat(path, &status) == 0 else { return [] }
    guard status.st_mode & S_IFMT == S_IFSOCK else { return [.problem("socket", "\(path) is no socket")] }
    let mode = String(status.st_mode & 0o777, radix: 8)
    let owner = "uid \(status.st_uid), gid \(status.st_gid), mode 0\(mode)"
    if access(path, W_OK) == 0 { return [.ok("socket", "\(path) may be used: \(owner)")] }
    let group = getgrgid(status.st_gid).map { String(cString: $0.pointee.gr_name) } ?? "\(status.st_gid)"
    let user = getpwuid(geteuid()).map { String(cString: $0.pointee.pw_name) } ?? "\(geteuid())"
    let fix = Self.socketFix(mode: status.st_mode, group: group, groupIsRoot: status.st_gid == 0, user: user)
    return [.problem("socket", "\(path) may not be used by \(user), uid \(geteuid()): \(owner)", fix: fix)]
  }

  /// Units that neither the lock nor a lease of ours has: natives have them, alive or dead.
  private func missingUnits(_ connection: LeaseholdConnection) -> [Finding] {
    var findings: [Finding] = []
    let locks: [JSON]
    do throws(ClientError) {
      locks = try connection.entries(of: Request("GET", ["locks"]), "locks")
    } catch {
      return [.note("locks", "not looked at: \(error)")]
    }
    for lock in locks {
      if lock["damaged"].bool == true { findings.append(Self.damaged(lock, at: endpoint)) }
      guard let missing = lock["native_held"].int, missing > 0 else { continue }
      let pid = lock["sysv"]["pid"].int ?? 0
      findings.append(Self.missing(missing, of: lock, lastUser: ProcessName.of(pid)))
    }
    return findings.isEmpty
      ? [.ok("locks", "\(locks.count) known; none is damaged, and no unit of any is missing")] : findings
  }

  /// A lock of which nothing is granted any more.
  static func damaged(_ lock: JSON, at endpoint: ServiceEndpoint) -> Finding {
    let key = lock["key"].string ?? ""
    let request = Request("DELETE", ["locks", key], query: [("force", "true")])
    var words = ["curl", "-X", "DELETE"]
    if endpoint.token != nil { words += ["-H", "\"Authorization: Bearer $LEASEHOLD_TOKEN\""] }
    if case .tls = endpoint.address, let file = endpoint.authorities { words += ["--cacert", ShellWord.quoted(file)] }
    if case .unix(let path) = endpoint.address {
      words += ["--unix-socket", ShellWord.quoted(path), ShellWord.quoted("http://localhost\(request.target)")]
    } else {
      words.append(ShellWord.quoted("\(endpoint.address)\(request.target)"))
    }
    return .problem(
      "lock \(VisibleText.of(key))",
      "it is damaged: another program wrote its values, and nothing is granted from it until it is made anew. Its own "
        + "leases end with it, no others",
      fix: words.joined(separator: " "))
  }

  /// - Parameter lastUser: The name of the process that operated last; `nil` when it has ended, or is not to be seen.
  static func missing(_ units: Int64, of lock: JSON, lastUser: String?) -> Finding {
    let place = "lock \(VisibleText.of(lock["key"].string ?? ""))"
    let pid = lock["sysv"]["pid"].int ?? 0
    let text = "native programs hold \(units) units; the last to operate was pid \(pid)"
    if lastUser == "leasehold" {
      return .note(place, "native programs hold \(units) units; the service operated last, so it cannot be told which")
    }
    if let lastUser { return .note(place, "\(text), which is alive (\(lastUser))") }
    let id = lock["sysv"]["id"].int ?? 0
    let semaphore = lock["sysv"]["semaphores"].elements.first?.int ?? 0
    return .problem(
      place, "\(text), which has ended: it took them without SEM_UNDO, or another program has them",
      fix: "perl -e 'semop(\(id), pack(\"s!3\", \(semaphore), \(units), 0)) or die \"semop: $!\"'  # if nobody has them"
    )
  }
}

/// Names of processes.
enum ProcessName {
  /// The name that the process gives itself; `nil` when there is none, or it is a zombie.
  static func of(_ pid: Int64) -> String? {
    guard pid > 0, let stat = TextFile.read("/proc/\(pid)/stat"), let end = stat.lastIndex(of: ")"),
      let start = stat.firstIndex(of: "("), !stat[end...].hasPrefix(") Z")
    else { return nil }
    return String(stat[stat.index(after: start)..<end])
  }
}
