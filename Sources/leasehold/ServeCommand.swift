internal import ArgumentParser
internal import FoundationEssentials
internal import Glibc
internal import LeaseholdHost
internal import Logging

/// `leasehold serve`: reads the settings, then prints them or serves.
struct ServeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve", abstract: "Run the daemon.",
    discussion: """
      Each setting is taken from its flag, else from the environment (--port is LEASEHOLD_PORT), else from the \
      file, else it has its default. Durations are like 250ms, 30s, 1.5m or 2h, sizes like 16KiB or 1MiB.
      """)

  @Option(
    help: ArgumentHelp(
      "File of settings, JSON with comments (default: \(SettingsFile.systemPath) when it exists).", valueName: "path"))
  var config: String?

  @Flag(
    name: [.customLong("check"), .customLong("print-config")],
    help: "Check the settings, print each and where it came from, and do not serve.")
  var check = false

  @Flag(help: "With --check: print JSON.")
  var json = false

  // The parser tells groups apart by their types, so each section of the table has its place in one.
  @OptionGroup(title: SettingSection.all[0].title) var listening: SectionFlags<0>
  @OptionGroup(title: SettingSection.all[1].title) var access: SectionFlags<1>
  @OptionGroup(title: SettingSection.all[2].title) var leases: SectionFlags<2>
  @OptionGroup(title: SettingSection.all[3].title) var limits: SectionFlags<3>
  @OptionGroup(title: SettingSection.all[4].title) var memory: SectionFlags<4>
  @OptionGroup(title: SettingSection.all[5].title) var cluster: SectionFlags<5>
  @OptionGroup(title: SettingSection.all[6].title) var kernel: SectionFlags<6>
  @OptionGroup(title: SettingSection.all[7].title) var logs: SectionFlags<7>

  func validate() throws {
    if json, !check { throw ValidationError("--json needs --check") }
  }

  /// The flags that were given, by the setting's name.
  var flags: [String: String] {
    let groups = [
      listening.given, access.given, leases.given, limits.given, memory.given, cluster.given, kernel.given, logs.given,
    ]
    return groups.reduce(into: [:]) { flags, given in flags.merge(given) { $1 } }
  }

  func run() throws {
    let environment = ProcessInfo.processInfo.environment
    let resolved = try SettingsSources(flags: flags, environment: environment, configPath: config).resolve()
    let options = try ServeOptions(resolved)
    if check {
      for warning in resolved.warnings { LogSink.standardError.write("leasehold: warning: \(warning)\n") }
      print(json ? resolved.json : resolved.table, terminator: "")
      return try options.checkFiles()
    }
    // The reader of the log, or of an answer, may go at any time.
    signal(SIGPIPE, SIG_IGN)
    HostThread.blockSignals()
    let log = try DaemonLog(options: options, environment: environment)
    defer { log.flush() }
    for warning in resolved.warnings { log.logger.warning("\(warning)") }
    do {
      throw try serve(options, log: log).exitCode
    } catch {
      let ending = Ending(error)
      if !ending.text.isEmpty { log.lines.append(ending.text) }
      throw ExitCode(ending.status)
    }
  }
}
