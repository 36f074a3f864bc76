import ArgumentParser
import JSONText
import Testing

@testable import leasehold

/// The commands that are read without the parser understand what the parser understands.
@Suite struct QuickCommandTests {
  private static let types: [any QuickCommand.Type] = [
    RunCommand.self, AcquireCommand.self, ReleaseCommand.self, RenewCommand.self, ReadyCommand.self,
  ]

  private func name(_ type: any QuickCommand.Type) throws -> String { try #require(type.configuration.commandName) }

  /// Words that make the command whole, behind its options.
  private func enough(_ type: any QuickCommand.Type) throws -> [String] {
    try ["run": ["a", "--command-at=9"], "ready": []][name(type)] ?? ["a"]
  }

  /// Long names and whether a value follows, as the parser has them.
  private func options(_ type: any QuickCommand.Type) throws -> [String: Bool] {
    let whole = try #require(JSON(Array(type._dumpHelp().utf8)))
    var options: [String: Bool] = [:]
    for argument in whole["command"]["arguments"].elements {
      for name in argument["names"].elements where name["kind"].string == "long" {
        options[name["name"].string ?? "?"] = argument["kind"].string == "option"
      }
    }
    for ownOfTheParser in ["help", "version"] { options[ownOfTheParser] = nil }
    return options
  }

  /// Reads the words both ways; returns false where they are left to the parser.
  private func isReadAlike(_ type: any QuickCommand.Type, _ words: [String]) throws -> Bool {
    guard let quick = try LeaseholdCommand.quick([name(type)] + words) else { return false }
    var (ours, theirs) = ("", "")
    dump(quick, to: &ours)
    dump(try type.parseAsRoot(words), to: &theirs)
    #expect(ours == theirs, "\(words)")
    return true
  }

  @Test func noneOfThemTakesAnOptionOfAnother() throws {
    let all = try Self.types.reduce(into: [:]) { all, type in try all.merge(options(type)) { $1 } }
    for type in Self.types {
      let own = try options(type)
      for (name, takesValue) in all where own[name] == nil {
        let option = takesValue ? ["--\(name)", "7"] : ["--\(name)"]
        #expect(try !isReadAlike(type, option + enough(type)), "\(type) \(name)")
      }
    }
  }

  @Test func eachOptionIsReadAsTheParserReadsIt() throws {
    for type in Self.types {
      let enough = try enough(type)
      for (name, takesValue) in try options(type) where name != RunCommand.commandMark {
        let option = "--\(name)"
        #expect(try isReadAlike(type, (takesValue ? [option, "7"] : [option]) + enough), "\(type) \(option)")
        if takesValue { #expect(try isReadAlike(type, enough + [option + "=7"]), "\(type) \(option)") }
        for odd in takesValue
          ? [[option], [option, "-7"], [option, "--json"], [option + "="], [option, ""]] : [[option + "=x"]]
        {
          #expect(try !isReadAlike(type, enough + odd), "\(type) \(odd)")
        }
      }
    }
  }

  @Test(arguments: [
    ["a"], ["a", "b", "--ttl", "1s"], ["--note", "=", "a"], ["--note=--json", "a"],
    ["--slots", "a,b", "--slot=a", "a"], ["--quiet", "--quiet", "a"], ["help"], ["run"], ["a=b"],
    ["é", "--owner", "ü"],
    ["-"], ["--take", "+5", "a"],
  ])
  func usualWordsAreRead(words: [String]) throws {
    #expect(try isReadAlike(AcquireCommand.self, words))
    let isForRun = !words.contains("--take")
    if isForRun { #expect(try isReadAlike(RunCommand.self, words + ["--command-at=4+0"])) }
  }

  @Test(arguments: [
    [], [""], ["--"], ["a", "--", "-b"], ["---"], ["-Z", "a"], ["-h"], ["--help"], ["a", "--help"], ["--version"],
    ["--nope", "a"], ["--=", "a"], ["--shared", "--exclusive", "a"], ["--shared", "--slots", "2", "a"],
    ["--no-wait", "--wait", "1s", "a"], ["--wait", "soon", "a"], ["--slots", "0", "a"], ["--slots=-1", "a"],
    ["--ttl", "", "a"], ["--take", "x", "a"], ["--take", "99999999999999999999", "a"],
    ["--conflict-exit-code=256", "a"], ["--take", "x", "--take", "1", "a"], ["--ttl", "1s", "--ttl=2m", "a"],
    ["--at-least", "1", "2", ""], ["--exec", "--ttl", "1s", "a"], ["--generate-completion-script", "bash"],
  ])
  func whatIsRareOrWrongIsLeftToTheParser(words: [String]) throws {
    if words.first != "--exec" { #expect(try !isReadAlike(AcquireCommand.self, words)) }
    #expect(try !isReadAlike(RunCommand.self, words + ["--command-at=1"]))
    #expect(try !isReadAlike(RunCommand.self, words))
  }

  @Test func leasesAreRenewedTogetherButANoteIsOfOneAndNoneIsReady() throws {
    #expect(try isReadAlike(RenewCommand.self, ["a", "--note", "here"]))
    #expect(try isReadAlike(RenewCommand.self, ["a", "b"]) && isReadAlike(RenewCommand.self, ["-"]))
    #expect(try !isReadAlike(RenewCommand.self, ["a", "b", "--note", "here"]))
    #expect(try !isReadAlike(RenewCommand.self, []))
    #expect(try isReadAlike(ReleaseCommand.self, ["a", "-", "--early"]))
    #expect(try !isReadAlike(ReadyCommand.self, ["a"]))
    #expect(LeaseholdCommand.quick(["locks"]) == nil)
    #expect(LeaseholdCommand.quick([]) == nil)
  }
}
