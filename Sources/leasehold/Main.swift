internal import ArgumentParser
internal import Glibc
internal import LeaseholdClient

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
  var isAnswer = false
}

extension Ending {
  init(_ error: any Error) {
    switch error {
    // How most commands end. The parser, if it were asked, would first look into all that it knows.
    case let code as ExitCode: self.init(text: "", status: code.rawValue, isAnswer: code.isSuccess)
    case let failure as Failure: self.init(failure)
    case let error as ClientError: self.init(Failure(error))
    default:
      let status = LeaseholdCommand.exitCode(for: error)
      if status == .failure {
        self.init(Failure("\(error)", .software))
      } else {
        let message = VisibleText.of(LeaseholdCommand.fullMessage(for: error), keepingLines: true)
        self.init(text: message.isEmpty ? "" : message + "\n", status: status.rawValue, isAnswer: status == .success)
      }
    }
  }

  /// One line about what went wrong.
  private init(_ failure: Failure) {
    let line = failure.message.isEmpty ? "" : "leasehold: \(VisibleText.of(failure.message))\n"
    self.init(text: line, status: failure.status)
  }
}
