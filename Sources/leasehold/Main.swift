internal import ArgumentParser
internal import Glibc

/// Where the process begins, and the only place where it ends.
@main
enum Main {
  static func main() async {
    do {
      var command = try LeaseholdCommand.parseAsRoot()
      if var asynchronous = command as? any AsyncParsableCommand {
        try await asynchronous.run()
      } else {
        try command.run()
      }
    } catch let error as SettingsError {
      LogSink.standardError.write("leasehold: \(error.message)\n")
      exit(error.status.rawValue)
    } catch {
      LeaseholdCommand.exit(withError: error)
    }
  }
}
