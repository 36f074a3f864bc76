import ArgumentParser
import FoundationEssentials
import LeaseholdHTTP
import Testing

@testable import leasehold

@Suite struct CommandLineTests {
  private func parse(_ arguments: [String]) throws -> ServeCommand {
    try #require(LeaseholdCommand.parseAsRoot(["serve"] + arguments) as? ServeCommand)
  }

  @Test func everySettingHasItsFlag() throws {
    for setting in Setting.all {
      let arguments = setting.kind == .toggle ? [setting.flag] : [setting.flag, "value"]
      #expect(try parse(arguments).flags == [setting.name: setting.kind == .toggle ? "true" : "value"])
    }
  }

  @Test func withoutFlagsNothingIsSet() throws {
    #expect(try parse([]).flags.isEmpty)
  }

  @Test func aListMayBeRepeatedOrHaveCommas() throws {
    let flags = try parse(["--allow-host", "A,b", "--allow-host", "c"]).flags
    #expect(try ServeOptions(resolve(flags: flags)).server.allowedHosts == ["a", "b", "c"])
  }

  @Test func aSwitchCanBeTurnedOffOverTheEnvironment() throws {
    let flags = try parse(["--no-standby"]).flags
    #expect(!(try ServeOptions(resolve(flags: flags, environment: ["LEASEHOLD_STANDBY": "true"])).standby))
  }

  @Test func anUnknownFlagEndsWithTheStatusForUsageAndTheNearestFlag() throws {
    let ending = Ending(try #require(throws: (any Error).self) { try parse(["--prot", "1"]) })
    #expect(ending.status == 64)
    #expect(ending.text.hasPrefix("Error: Unknown option '--prot'. Did you mean '--port'?\n"))
  }

  @Test func jsonAloneIsAnErrorOfUsage() throws {
    let ending = Ending(try #require(throws: (any Error).self) { try parse(["--json"]) })
    #expect(ending.status == 64)
    #expect(ending.text.hasPrefix("Error: --json needs --check\n"))
  }

  @Test func helpAndVersionEndWellAndSayWhatWasAsked() throws {
    var command = try LeaseholdCommand.parseAsRoot(["--help"])
    let help = Ending(try #require(throws: (any Error).self) { try command.run() })
    #expect(help.status == 0)
    #expect(help.text.hasPrefix("OVERVIEW: "))
    let version = Ending(try #require(throws: (any Error).self) { try LeaseholdCommand.parseAsRoot(["--version"]) })
    #expect(version.status == 0)
    #expect(version.text == "leasehold \(Build.version)\n")
  }

  @Test func aCommandThatIsAskedAloneUnderstandsWhatTheWholeTreeDoes() throws {
    let words = ["acquire", "--ttl", "30s", "--slots=3", "--json", "a", "b"]
    let alone = try #require(LeaseholdCommand.parsed(words) as? AcquireCommand)
    let inTree = try #require(LeaseholdCommand.parseAsRoot(words) as? AcquireCommand)
    #expect(alone.keys == inTree.keys)
    #expect(alone.lock.ttl == inTree.lock.ttl)
    #expect(alone.lock.slots == inTree.lock.slots)
    #expect(alone.ask.json == inTree.ask.json)
  }

  @Test(arguments: [["run"], ["acquire", "--tll", "1s", "a"], ["renew"], ["hold", "-s", "-x", "a"]])
  func theWholeTreeSaysWhatIsWrong(words: [String]) throws {
    let told = Ending(try #require(throws: (any Error).self) { try LeaseholdCommand.parsed(words) })
    let inTree = Ending(try #require(throws: (any Error).self) { try LeaseholdCommand.parseAsRoot(words) })
    #expect(told == inTree)
    #expect(told.text.contains("leasehold \(words[0])"))
  }

  @Test(arguments: ["run", "acquire", "release", "renew", "hold"])
  func theHelpOfACommandIsTheSameBesideTheOthers(name: String) throws {
    var command = try LeaseholdCommand.parsed([name, "--help"])
    let help = Ending(try #require(throws: (any Error).self) { try command.run() })
    #expect(help.isAnswer)
    #expect(help.text.contains("USAGE: leasehold \(name) "))
  }

  @Test func settingsEndWithOneLineAndAnyOtherErrorIsAFaultOfTheProgram() {
    struct Odd: Error {}
    #expect(Ending(Failure("no", .usage)).text == "leasehold: no\n")
    #expect(Ending(Failure("no", .usage)).status == 64)
    #expect(Ending(Failure("no", .configuration)).status == 78)
    #expect(Ending(Odd()) == Ending(Odd()))
    #expect(Ending(Odd()).text == "leasehold: Odd()\n")
    #expect(Ending(Odd()).status == 70)
  }

  @Test(arguments: leasehold.ExitStatus.allCases)
  func aStatusOfTheServiceIsTheStatusOfTheProcess(status: leasehold.ExitStatus) {
    #expect(Ending(status.exitCode).status == status.rawValue)
    #expect(Ending(status.exitCode).text.isEmpty)
  }

  @Test func theHelpNamesEverySettingThatIsNotHidden() {
    let help = LeaseholdCommand.helpMessage(for: ServeCommand.self)
    for setting in Setting.all {
      #expect(help.contains(setting.flag) == !setting.isHidden, "\(setting.name)")
    }
    #expect(!LeaseholdCommand.helpMessage().contains("settings-markdown"))
  }

  @Test func theCommittedDocumentationIsWhatTheTableSays() throws {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    let path = root.deletingLastPathComponent().appending(path: "docs/settings.md")
    let committed = try String(contentsOf: path, encoding: .utf8)
    #expect(committed == SettingsMarkdown.text, "leasehold settings-markdown > docs/settings.md")
    for setting in Setting.all {
      #expect(committed.contains("`\(setting.flag)`") == !setting.isHidden)
    }
  }
}
