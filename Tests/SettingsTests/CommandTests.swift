import ArgumentParser
import LeaseholdClient
import JSONText
import Testing

@testable import leasehold

@Suite struct CommandTests {
  @Test(arguments: [
    (["run", "a", "--", "b", "--", "c"], ["run", "a", "--command-at=4"]), (["run", "a", "--"], ["run", "a"]),
    (["run", "a"], ["run", "a"]), (["run", "a", "b", "-c", "d"], ["run", "a", "--command-at=3"]),
    (["run", "-n", "a", "b", "--help"], ["run", "--no-wait", "a", "--command-at=4"]),
    (["run", "a", "-w", "5", "b"], ["run", "a", "--wait=5", "--command-at=5"]),
    (["run", "--ttl", "5s", "--grace=1s", "a", "b"], ["run", "--ttl", "5s", "--grace=1s", "a", "--command-at=6"]),
    (["run", "a", "b", "--", "c"], ["run", "a", "b", "--command-at=5"]),
    (["run", "a", "-c", "b"], ["run", "a", "--command-at=4+0"]),
    (["run", "a", "-cb"], ["run", "a", "--command-at=3+2"]),
    (["run", "-xc", "b", "a"], ["run", "--exclusive", "a", "--command-at=3+0"]),
    (["run", "--command=b", "a"], ["run", "a", "--command-at=2+10"]),
    (["run", "--command", "-n", "a"], ["run", "a", "--command-at=3+0"]),
    (["locks", "--", "a"], ["locks", "--", "a"]), (["serve", "-w5"], ["serve", "-w5"]),
    (["acquire", "-w5", "--", "-w5"], ["acquire", "--wait=5", "--", "-w5"]),
    (["acquire", "a", "b", "-n"], ["acquire", "a", "b", "--no-wait"]),
  ])
  func theCommandGivesWayToItsPlace(_ words: [String], _ marked: [String]) throws {
    #expect(try RunCommand.marked(words) == marked)
  }

  @Test(arguments: [CommandPlace(index: 4), CommandPlace(index: 3, offset: 2)])
  func aPlaceIsReadAsItIsWritten(_ place: CommandPlace) {
    #expect(CommandPlace(place.text) == place)
    for text in ["", "x", "1+", "1+2+3", "+"] where CommandPlace(text) != nil { Issue.record("\(text)") }
  }

  @Test func runTakesTheLettersOfFlock() throws {
    let words = try RunCommand.marked(["run", "-s", "-w", "1.5", "-E7", "--ttl", "2m", "a", "b", "--", "c"])
    let command = try #require(LeaseholdCommand.parseAsRoot(words) as? RunCommand)
    #expect(command.keys == ["a", "b"])
    #expect(command.conflictStatus == 7)
    #expect(try command.lock.waiting() == .seconds(1.5))
    #expect(try command.lock.lease().ttl == .seconds(120))
    #expect(command.lock.want("a").mode == .shared)
  }

  @Test(arguments: [
    (["-sw10", "a"], ["--shared", "--wait=10", "a"]), (["-w", "-1"], ["--wait=-1"]), (["-w"], ["--wait"]),
    (["-j", "5", "a"], ["--slots=5", "a"]), (["-j5"], ["--slots=5"]), (["-j=5"], ["--slots=5"]),
    (["-n", "a"], ["--no-wait", "a"]), (["-n"], ["--no-wait"]), (["-nb", "a"], ["--no-wait", "a"]),
    (["-nqE0", "a"], ["--no-wait", "--quiet", "--conflict-exit-code=0", "a"]), (["-xo"], ["--exclusive"]),
    (["-nq", "5"], ["--no-wait", "--quiet", "5"]), (["--nonblock", "5"], ["--nonblock", "5"]),
    (["-sZq"], ["--shared", "-Zq"]), (["-"], ["-"]), (["--close", "--wait", "3"], ["--wait", "3"]),
  ])
  func lettersBecomeLongOptions(_ words: [String], _ spelled: [String]) throws {
    for command in ["run", "hold"] {
      #expect(try FlockLetters([command] + words).spelled == [command] + spelled)
    }
  }

  @Test(arguments: [
    ["hold", "-c", "date"], ["acquire", "-xc", "date"], ["acquire", "--command=date"], ["run", "-u"],
    ["run", "--unlock"], ["run", "--fcntl"], ["run", "-n", "5", "a"], ["run", "-n5", "a"], ["run", "-xn=5", "a"],
    ["run", "a", "-c", "b", "c"], ["run", "a", "-c", "b", "--", "c"], ["run", "-c", "a", "-c", "b"], ["run", "-c"],
  ])
  func whatDoesNotFitIsRefusedWithTheReason(_ words: [String]) throws {
    let failure = try #require(throws: Failure.self) { try FlockLetters(words) }
    #expect(failure.status == 64)
    #expect(!failure.message.isEmpty)
  }

  @Test(arguments: [
    ("Lock 'a' is held; ask with wait=10s to queue.", false, "Lock 'a' is held; ask with -w 10s to queue."),
    ("'ttl' must be 100ms...24h.", true, "--ttl must be 100ms...24h."),
    ("Lock 'ttl' is held, and 'wait=1s' of it's own.", true, "Lock 'ttl' is held, and 'wait=1s' of it's own."),
    ("'alice' waits for 'limit'.", false, "'alice' waits for 'limit'."),
    ("Give limit=3, or force=true (mode=shared).", false, "Give --slots 3, or --force (-s)."),
    ("leave 'count' out", true, "leave --take out"), ("say key=private", false, "say private"),
    ("use x=1 and =.", true, "use x=1 and =."),
    ("use bind=connection, hold or a ttl", false, "use `leasehold hold` or a ttl"), ("", true, ""), ("'", true, "'"),
    ("Use a lock: POST /locks/{key}/acquire?limit=N.", false, "Use a lock: `leasehold acquire LOCK --slots N`."),
    ("no set 'GET /locks'; GET /semaphores lists them.", true, "no set 'GET /locks'; `leasehold sem` lists them."),
  ])
  func parametersAreFlags(_ detail: String, _ mayName: Bool, _ spoken: String) {
    #expect(FlagWords.spoken(detail, mayName: mayName) == spoken)
  }

  @Test func aWaiterForItselfIsNotAskedToTryAgain() {
    let body = Array(#"{"code":"deadlock","detail":"no"}"#.utf8)
    #expect(Failure(ClientError.problem(Problem(status: 409, body: body)), busy: 0).status == 64)
    #expect(Failure(ClientError.problem(Problem(status: 409, body: [])), busy: 0).status == 75)
  }

  @Test func aSkipIsQuietAndAnErrorIsNot() {
    for (status, isSkip) in [(423, true), (429, false), (409, false), (503, false)] {
      let failure = Failure(ClientError.problem(Problem(status: status, body: [])), busy: 7, isQuiet: true)
      #expect(failure.message.isEmpty == isSkip, "\(status)")
    }
  }

  @Test(arguments: [
    (423, 75), (429, 75), (409, 75), (401, 77), (403, 77), (410, 70), (503, 69), (507, 73), (400, 64), (404, 64),
  ])
  func aProblemIsAStatus(http: Int, status: Int32) {
    #expect(Failure(ClientError.problem(Problem(status: http, body: []))).status == status)
  }

  @Test func whatIsNotThereHasAStatusOfItsOwn() {
    for code in ["no-such-lock", "no-such-lease", "no-such-set", "no-such-variable"] {
      let problem = Problem(status: 404, body: Array("{\"code\":\"\(code)\"}".utf8))
      #expect(Failure(ClientError.problem(problem)).status == 66)
    }
  }

  @Test(arguments: [("pay*", "pay"), ("pay", "pay"), ("*", ""), ("a*b", "a*b")])
  func aStarAtTheEndOfAPrefixMayStandThere(_ text: String, _ prefix: String) {
    #expect(LockPrefix(argument: text).text == prefix)
  }

  @Test func aWaitStatusIsWhatAShellSays() {
    #expect(ExecResult.status(ofWait: 3 << 8) == 3)
    #expect(ExecResult.status(ofWait: 9) == 137)
    #expect(ExecResult.status(ofWait: 11 | 0x80) == 139)
    #expect(ExecResult.stopSignal(ofWait: 20 << 8 | 0x7f) == 20)
    #expect(ExecResult.stopSignal(ofWait: 3 << 8) == nil)
  }

  @Test(arguments: [
    (0, "0.0s"), (1450, "1.4s"), (59_000, "59s"), (185_000, "3m05s"), (7_800_000, "2h10m"), (273_600_000, "3d04h"),
  ])
  func anAgeIsShort(milliseconds: Int64, text: String) {
    #expect(AgeText.text(milliseconds: milliseconds) == text)
  }

  @Test func aTableHasColumnsAndNothingThatMovesTheCursor() {
    var table = Table("A", "LONG", "C")
    table.add("xxx", nil, "\u{1b}[1m")
    #expect(table.text == "A    LONG  C\nxxx  -     \\u{1b}[1m\n")
  }

  @Test(arguments: [
    ("a\u{202e}b", "a\\u{202e}b"), ("\u{200b}\u{2066}\u{feff}", "\\u{200b}\\u{2066}\\u{feff}"),
    ("\u{2028}\u{a0}\u{85}\n", "\\u{2028}\\u{a0}\\u{85}\\u{a}"), ("\u{e0041}", "\\u{e0041}"),
    ("Grüße, 世界 e\u{301}", "Grüße, 世界 e\u{301}"), ("", ""),
  ])
  func whatDoesNotShowIsShownByItsNumber(_ text: String, _ visible: String) {
    #expect(VisibleText.of(text).unicodeScalars.elementsEqual(visible.unicodeScalars))
    #expect(VisibleText.of("\(text)\n", keepingLines: true).hasSuffix("\n"))
  }

  @Test func jsonStaysWhatItIs() {
    let text = "{\"a\u{202e}\":\"\u{e0041}\u{7f} ü\",\n \"b\":[1]}\n"
    let visible = VisibleText.ofJSON(text)
    #expect(visible == "{\"a\\u202e\":\"\\udb40\\udc41\\u007f ü\",\n \"b\":[1]}\n")
    #expect(JSON(Array(visible.utf8)) != nil)
    #expect(JSON(Array(visible.utf8)) == JSON(Array(text.utf8)))
  }

  @Test func whatRunsBelowRunKnowsAllLeasesAbove() {
    #expect(Enclosing(holding: nil, lease: nil).ids.isEmpty)
    #expect(Enclosing(holding: "a,b", lease: "b").ids == ["a", "b"])
    #expect(Enclosing(holding: nil, lease: "b").ids == ["b"])
    let own = Enclosing(holding: "abcdef0123456", lease: nil)
    func keepsAll(_ limit: String, _ available: Int, _ refs: String...) -> Bool {
      let holders = refs.map { "{\"ref\":\"\($0)\"}" }.joined(separator: ",")
      let lock = "{\"kind\":\"counting\",\"limit\":\(limit),\"available\":\(available),\"holders\":[\(holders)]}"
      return own.mayKeepAll(of: JSON(Array(lock.utf8)) ?? .null)
    }
    #expect(keepsAll("null", 0, "abcdef0123"))
    #expect(!keepsAll("null", 1, "abcdef0123") && !keepsAll("1", 0, "abcdef0123") && !keepsAll("null", 0))
    #expect(!keepsAll("null", 0, "abcdef0123", "9999999999"))
    let many = (0..<40).map { "\($0)" }
    #expect(Enclosing(holding: many.joined(separator: ","), lease: nil).ids == Array(many.suffix(32)))
  }

  @Test func anInstantIsMillisecondsSince1970() {
    #expect(Instant.milliseconds("1970-01-02T00:00:01.250Z") == 86_401_250)
    #expect(Instant.milliseconds("soon") == nil)
  }

  @Test func whoWaitsFindsItselfByPortOrByNumber() {
    let lock = JSON(
      Array(
        """
        {"waiters":[{"peer":"unix","pid":1},{"peer":"127.0.0.1:77"},{"peer":"unix","pid":5}],
         "holders":[{"owner":"me","pid":9,"expires_in_ms":12000}]}
        """.utf8))
    let value = lock ?? .null
    let byPort = WaitWatch.line(key: "a", lock: value, port: 77, pid: 5)
    #expect(byPort == "leasehold: waiting for a, 2 of 3, held by me, pid 9, 12s left")
    #expect(WaitWatch.line(key: "a", lock: value, port: nil, pid: 5).contains(", 3 of 3,"))
  }
}
