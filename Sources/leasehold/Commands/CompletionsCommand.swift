internal import ArgumentParser
internal import LeaseholdClient

/// `leasehold completions`: a script for the shell.
struct CompletionsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "completions", abstract: "Print a completion script for bash, zsh or fish.",
    discussion: "As in: leasehold completions bash >/usr/share/bash-completion/completions/leasehold")

  @Argument(
    help: ArgumentHelp("bash, zsh or fish.", valueName: "shell"), completion: .list(["bash", "zsh", "fish"]))
  var shell: String

  func run() throws {
    guard let known = CompletionShell(rawValue: shell) else {
      throw ValidationError("'\(shell)' is none of \(CompletionShell.allCases.map(\.rawValue).joined(separator: ", "))")
    }
    Output.write(CompletionScript.completed(LeaseholdCommand.completionScript(for: known), shell: shell))
  }
}

/// Words that a shell completes from what the service has; none when it does not answer at once.
enum Known {
  /// Names of locks.
  static let locks = CompletionKind.custom { _, _, prefix in
    words("locks", prefix.isEmpty ? [] : [("key", prefix)]) { $0["key"].string }
  }

  /// Refs of leases.
  static let refs = CompletionKind.custom { _, _, _ in words("leases", []) { $0["ref"].string } }

  /// Owners of leases.
  static let owners = CompletionKind.custom { _, _, _ in words("leases", []) { $0["owner"].string } }

  private static func words(
    _ list: String, _ query: [(String, String)], _ word: (JSON) -> String?
  ) -> [String] {
    guard let endpoint = try? ServiceEndpoint.fromEnvironment() else { return [] }
    let request = Request("GET", [list], query: [("limit", "100")] + query).within(.milliseconds(200))
    let entries = try? LeaseholdConnection(endpoint).send(request).json[list].elements
    return (entries ?? []).compactMap(word)
  }
}
