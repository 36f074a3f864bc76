internal import ArgumentParser
internal import Glibc

/// Where the process begins, and the only place where it ends.
@main
enum Main {
  static func main() async {
    ProcessStart.prepare()
    do {
      let arguments = Array(CommandLine.arguments.dropFirst())
      if let unknown = LeaseholdCommand.unknownCommand(arguments) { throw unknown }
      var command = try LeaseholdCommand.parseAsRoot(RunCommand.marked(arguments))
      if var asynchronous = command as? any AsyncParsableCommand {
        try await asynchronous.run()
      } else {
        try command.run()
      }
    } catch {
      let ending = Ending(error)
      LogSink(descriptor: ending.status == ExitStatus.ok.rawValue ? STDOUT_FILENO : STDERR_FILENO).write(ending.text)
      exit(ending.status)
    }
  }
}

/// What a command's error, or its wish to end, comes to.
struct Ending: Equatable {
  /// For standard output when the status is 0, else for standard error; empty or with a final newline.
  let text: String
  let status: Int32

  init(_ error: any Error) {
    let status = LeaseholdCommand.exitCode(for: error)
    if let failure = error as? Failure {
      self.text = failure.message.isEmpty ? "" : "leasehold: \(failure.message)\n"
      self.status = failure.status
    } else if let error = error as? SettingsError {
      self.text = "leasehold: \(error.message)\n"
      self.status = error.status.rawValue
    } else if status == .failure, !(error is ExitCode) {
      self.text = "leasehold: \(error)\n"
      self.status = ExitStatus.software.rawValue
    } else {
      let message = LeaseholdCommand.fullMessage(for: error)
      self.text = message.isEmpty ? "" : message + "\n"
      self.status = status.rawValue
    }
  }
}
