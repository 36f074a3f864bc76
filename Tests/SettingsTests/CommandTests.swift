import ArgumentParser
import LeaseholdClient
import Testing

@testable import leasehold

@Suite struct CommandTests {
  @Test func theCommandGivesWayToItsPlace() {
    #expect(RunCommand.marked(["run", "a", "--", "b", "--", "c"]) == ["run", "a", "--command-at=4"])
    #expect(RunCommand.marked(["run", "a", "--"]) == ["run", "a"])
    #expect(RunCommand.marked(["run", "a"]) == ["run", "a"])
    #expect(RunCommand.marked(["locks", "--", "a"]) == ["locks", "--", "a"])
  }

  @Test func runTakesTheLettersOfFlock() throws {
    let words = RunCommand.marked(["run", "-s", "-w", "1.5", "-E", "7", "--ttl", "2m", "a", "b", "--", "c"])
    let command = try #require(LeaseholdCommand.parseAsRoot(words) as? RunCommand)
    #expect(command.keys == ["a", "b"])
    #expect(command.conflictStatus == 7)
    #expect(try command.lock.waiting() == .seconds(1.5))
    #expect(try command.lock.lease().ttl == .seconds(120))
    #expect(try command.lock.lease().mode == .shared)
  }

  @Test(arguments: [
    (423, 75), (429, 75), (409, 75), (401, 77), (403, 77), (410, 70), (503, 69), (507, 73), (400, 64), (404, 64),
  ])
  func aProblemIsAStatus(http: Int, status: Int32) {
    #expect(Failure(ClientError.problem(Problem(status: http, body: []))).status == status)
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
    #expect(table.text == "A    LONG  C\nxxx  -     ?[1m\n")
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
    let byPort = WaitingProgress.line(key: "a", lock: value, port: 77, pid: 5)
    #expect(byPort == "leasehold: waiting for a, 2 of 3, held by me, pid 9, 12s left")
    #expect(WaitingProgress.line(key: "a", lock: value, port: nil, pid: 5).contains(", 3 of 3,"))
  }
}
