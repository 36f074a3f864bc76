internal import ArgumentParser
internal import LeaseholdClient

/// `leasehold doctor`: looks for what breaks locks, and says what mends it.
struct DoctorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor", abstract: "Look for problems that break locks, and show the command that mends each.",
    discussion: """
      Looks at the kernel's limits, the IPC namespace, systemd's settings, permissions, sets without an owner and \
      units that are missing. Changes nothing. Without a service it looks at the rest. Ends with 1 when it found a \
      problem.
      """)

  @Flag(help: "Print JSON; docs/cli-json.md lists its members.")
  var json = false

  @OptionGroup var service: ServiceOptions

  func run() throws {
    let endpoint = try service.endpoint()
    let (asked, uid) = ServiceCheck(endpoint: endpoint).findings()
    let findings = asked + KernelCheck.findings() + SystemdCheck().findings(uid: uid)
    if json {
      Output.write("\(["findings": .array(findings.map(\.json))] as JSON)")
    } else {
      Output.write(findings.map(\.lines).joined())
    }
    if findings.contains(where: { $0.level == .problem }) { throw ExitCode(1) }
  }
}
