internal import LeaseholdHost

/// Settings of systemd that take semaphores away, or hide them.
///
/// Reads files; needs no running systemd.
struct SystemdCheck {
  /// The prefix of every path; empty but in tests.
  var root = ""

  /// - Parameter uid: The user that the service's sets belong to; `nil` where that is not known.
  func findings(uid: Int64?) -> [Finding] { logind(uid: uid) + unit() }

  private func logind(uid: Int64?) -> [Finding] {
    let files = folders.map { "\($0)/logind.conf" } + dropIns(folders, "logind.conf.d")
    let present = files.filter { TextFile.read(root + $0) != nil }
    guard !present.isEmpty else { return [.ok("logind", "is not here")] }
    let removes = setting("RemoveIPC", section: "[Login]", in: present).map(Self.isTrue) ?? true
    guard removes else { return [.ok("logind", "RemoveIPC=no")] }
    let firstUser = TextFile.read(root + "/etc/login.defs").flatMap { text in
      text.split(separator: "\n").first { $0.hasPrefix("UID_MIN") }.flatMap { Int64($0.dropFirst(7).trimmedBlanks) }
    }
    guard let uid else {
      return [.note("logind", "RemoveIPC=yes: whether that hurts, this tells only while the service is reachable")]
    }
    guard uid >= firstUser ?? 1000 else {
      return [.ok("logind", "RemoveIPC=yes spares root and system users, and the service runs as one of them")]
    }
    return [
      .problem(
        "logind", "RemoveIPC=yes removes the semaphores of uid \(uid) when that user's last login ends",
        fix: Self.dropIn("logind.conf.d", "[Login]", "RemoveIPC=no") + " && systemctl restart systemd-logind")
    ]
  }

  private static let traps = [
    ("PrivateIPC", "the service would see other semaphores than its clients"),
    ("RemoveIPC", "all locks are removed when the service stops"),
    ("DynamicUser", "implies RemoveIPC: all locks are removed when the service stops"),
    ("PrivateUsers", "owners become nobody, and capabilities stop counting"),
  ]

  private static let name = "leasehold.service"
  private static let units = [
    "/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system",
  ]

  /// The service's unit, where it is installed.
  var unitFile: String? { Self.units.map { "\($0)/\(Self.name)" }.first { TextFile.read(root + $0) != nil } }

  private func unit() -> [Finding] {
    let (name, units) = (Self.name, Self.units)
    guard let base = unitFile else {
      return [.ok("unit", "there is no \(name)")]
    }
    let parts = dropIns(units, "\(name).d")
    var findings: [Finding] = []
    for (trap, consequence) in Self.traps
    where setting(trap, section: "[Service]", in: [base] + parts).map(Self.isTrue) ?? false {
      findings.append(.problem("unit", "\(trap)=yes: \(consequence)", fix: Self.override("\(trap)=no")))
    }
    let hides = setting("ProtectProc", section: "[Service]", in: [base] + parts)
    if hides == "invisible" || hides == "noaccess" {
      findings.append(
        .problem(
          "unit", "ProtectProc=\(hides ?? ""): processes of others cannot be seen, so leases cannot be bound to them",
          fix: Self.override("ProtectProc=default")))
    }
    return findings.isEmpty ? [.ok("unit", "\(base) has none of the settings that break locks")] : findings
  }

  private static func override(_ line: String) -> String {
    dropIn("system/leasehold.service.d", "[Service]", line)
      + " && systemctl daemon-reload && systemctl restart leasehold"
  }

  /// Writes a file of one setting, which has the last word, and leaves those alone that other findings have led to.
  private static func dropIn(_ folder: String, _ section: String, _ line: String) -> String {
    let folder = "/etc/systemd/\(folder)"
    let name = "zz-leasehold-\(line.prefix { $0 != "=" }).conf"
    return "mkdir -p \(folder) && printf '\(section)\\n\(line)\\n' >\(folder)/\(name)"
  }

  private var folders: [String] { ["/etc/systemd", "/run/systemd", "/usr/lib/systemd"] }

  /// The files of settings in folders of this name, those of the first place last.
  private func dropIns(_ places: [String], _ name: String) -> [String] {
    places.reversed().flatMap { place in
      HostFile.entries(in: "\(root)\(place)/\(name)").entries.map(\.name).filter { $0.hasSuffix(".conf") }.sorted()
        .map { "\(place)/\(name)/\($0)" }
    }
  }

  /// The last value that the files give, in their order.
  private func setting(_ name: String, section: String, in files: [String]) -> String? {
    var value: String?
    for file in files {
      var current = ""
      for line in (TextFile.read(root + file) ?? "").split(separator: "\n") {
        let text = line.trimmedBlanks
        if text.hasPrefix("[") { current = text }
        guard current == section, text.hasPrefix(name + "=") else { continue }
        value = String(text.dropFirst(name.count + 1)).trimmedBlanks
      }
    }
    return value
  }

  private static func isTrue(_ text: String) -> Bool { ["yes", "true", "on", "1"].contains(text.lowercased()) }
}

extension StringProtocol {
  /// Without blanks at either end.
  var trimmedBlanks: String {
    let head = drop(while: \.isWhitespace)
    return String(head.reversed().drop(while: \.isWhitespace).reversed())
  }
}
