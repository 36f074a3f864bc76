internal import ArgumentParser
internal import Glibc

/// Where the process begins, and the only place where it ends.
@main
enum Main {
  static func main() {
    ProcessStart.prepare()
    do {
      let arguments = try LeaseholdCommand.ordered(Array(CommandLine.arguments.dropFirst()))
      var command = try LeaseholdCommand.parsed(try RunCommand.marked(arguments))
      try command.run()
    } catch {
      let ending = Ending(error)
      LogSink(descriptor: ending.isAnswer ? STDOUT_FILENO : STDERR_FILENO).write(ending.text)
      exit(ending.status)
    }
  }
}

/// The ending that a command's error, or its wish to end, leads to.
struct Ending: Equatable {
  /// Empty or with a final newline.
  let text: String
  let status: Int32
  /// True when the text is what was asked for, such as help, and belongs on standard output.
  let isAnswer: Bool

  init(_ error: any Error) {
    switch error {
    // How most commands end. The parser, if it were asked, would first look into all that it knows.
    case let code as ExitCode: self.init("", code.rawValue, isAnswer: code.isSuccess)
    case let failure as Failure: self.init(line: failure.message, failure.status)
    case let error as SettingsError: self.init(line: error.message, error.status.rawValue)
    default: self.init(ofParser: error)
    }
  }

  private init(ofParser error: any Error) {
    let status = LeaseholdCommand.exitCode(for: error)
    if status == .failure {
      self.init(line: "\(error)", ExitStatus.software.rawValue)
    } else {
      let message = VisibleText.of(LeaseholdCommand.fullMessage(for: error), keepingLines: true)
      self.init(message.isEmpty ? "" : message + "\n", status.rawValue, isAnswer: status == .success)
    }
  }

  /// One line about what went wrong.
  private init(line: String, _ status: Int32) {
    self.init(line.isEmpty ? "" : "leasehold: \(VisibleText.of(line))\n", status, isAnswer: false)
  }

  private init(_ text: String, _ status: Int32, isAnswer: Bool) {
    self.text = text
    self.status = status
    self.isAnswer = isAnswer
  }
}
