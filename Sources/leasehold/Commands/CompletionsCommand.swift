internal import ArgumentParser
internal import LeaseholdClient

/// `leasehold completions`: a script for the shell.
struct CompletionsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "completions", abstract: "Print a completion script for bash, zsh or fish.",
    discussion: "As in: leasehold completions bash >/usr/share/bash-completion/completions/leasehold")

  @Argument(help: ArgumentHelp("bash, zsh or fish.", valueName: "shell"))
  var shell: String

  func run() throws {
    guard let shell = CompletionShell(rawValue: shell) else {
      throw ValidationError("'\(shell)' is none of \(CompletionShell.allCases.map(\.rawValue).joined(separator: ", "))")
    }
    Output.write(LeaseholdCommand.completionScript(for: shell))
  }
}

/// Words that a shell completes from what the service has.
enum Known {
  /// Names of locks; none when the service does not answer at once.
  static let locks = CompletionKind.custom { _, _, prefix in
    guard let endpoint = try? ServiceEndpoint.fromEnvironment() else { return [] }
    var request = Request("GET", ["locks"], query: [("limit", "100")])
    if !prefix.isEmpty { request.query.append((name: "key", value: prefix)) }
    request.timeout = .milliseconds(500)
    let locks = try? LeaseholdConnection(endpoint).send(request).json["locks"].elements
    return (locks ?? []).compactMap { $0["key"].string }
  }
}
