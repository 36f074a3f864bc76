import Glibc
import Logging
import JSONText
import Testing

@testable import leasehold

@Suite struct LogTests {
  /// The instant 2026-11-22T14:02:36.728Z.
  private static let instant: Int64 = 1_795_356_156_728_999_999

  /// What arrives at a pipe; each element is one read of what was there.
  private func lines(
    journal: Bool = false, json: Bool = false, level: Logger.Level = .trace, _ body: (inout Logger) -> Void
  ) throws -> String {
    var ends: [Int32] = [0, 0]
    try #require(pipe(&ends) == 0)
    defer { close(ends[0]) }
    let sink = LogSink(descriptor: ends[1], isJournal: journal) { LogTests.instant }
    var logger = Logger(label: "test") { _ in
      LineHandler(sink: sink, form: json ? .json : .plain)
    }
    logger.logLevel = level
    body(&logger)
    close(ends[1])
    return readAll(ends[0])
  }

  private func readAll(_ descriptor: Int32) -> String {
    var content: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65536)
    while true {
      let count = read(descriptor, &chunk, chunk.count)
      if count <= 0 { return String(decoding: content, as: UTF8.self) }
      content += chunk[..<count]
    }
  }

  @Test func aPlainLineHasTimeLevelMessageAndSortedMetadata() throws {
    let line = try lines { log in
      log[metadataKey: "peer"] = "unix"
      log.info("granted", metadata: ["lock.key": "a b", "fence": "7", "empty": ""])
    }
    #expect(line == "2026-11-22T14:02:36.728Z info granted empty=\"\" fence=7 lock.key=\"a b\" peer=unix\n")
  }

  @Test func aLineForTheJournalHasAPriorityInsteadOfTheTime() throws {
    let line = try lines(journal: true) { log in
      for level in Logger.Level.allCases { log.log(level: level, "m") }
    }
    #expect(line == "<7>m\n<7>m\n<6>m\n<5>m\n<4>m\n<3>m\n<2>m\n")
  }

  @Test func aJSONLineForTheJournalHasAPriorityBeforeItsObject() throws {
    let text = try lines(journal: true, json: true) { log in
      for level in Logger.Level.allCases { log.log(level: level, "m") }
    }
    let found = text.split(separator: "\n")
    #expect(found.map { $0.prefix(4) } == ["<7>{", "<7>{", "<6>{", "<5>{", "<4>{", "<3>{", "<2>{"])
    for line in found { _ = try JSON(parsing: Array(line.dropFirst(3).utf8)) }
    #expect(try lines(json: true) { $0.error("m") }.hasPrefix("{"))
  }

  @Test func whatIsBelowTheLevelIsNotWritten() throws {
    #expect(try lines(level: .warning) { $0.notice("no") } == "")
  }

  @Test func nothingInAnEventCanBeginANewLineOrSteerATerminal() throws {
    let evil = "a\nb\r\tc\u{1B}[31m\u{7F}\u{9B}\u{2028}\0"
    let plain = try lines { $0.error("\(evil)", metadata: ["\(evil)": "\(evil)"]) }
    let escaped = "a\\nb\\r\\tc\\u001b[31m\\u007f\\u009b\\u2028\\u0000"
    #expect(plain == "2026-11-22T14:02:36.728Z error \(escaped) \"\(escaped)\"=\"\(escaped)\"\n")
    let json = try lines(json: true) { $0.error("\(evil)") }
    #expect(json.utf8.count { $0 < 0x20 } == 1)
    #expect(json.hasSuffix("\"message\":\"\(escaped)\"}\n"))
  }

  @Test func nothingInAnEventTurnsTheDirectionOfWritingOrHides() throws {
    let evil = "a\u{202e}b\u{2066}\u{200b}\u{feff}\u{a0}\u{e0041}ü"
    let escaped = "a\\u202eb\\u2066\\u200b\\ufeff\\u00a0\\udb40\\udc41ü"
    let plain = try lines { $0.error("m", metadata: ["lock": "\(evil)"]) }
    #expect(plain.hasSuffix(" error m lock=\(escaped)\n"))
    let json = try lines(json: true) { $0.error("m", metadata: ["lock": "\(evil)"]) }
    #expect(json.hasSuffix("\"lock\":\"\(escaped)\"}\n"))
  }

  @Test func quotesAndBackslashesAreQuotedWhereAValueIs() throws {
    let line = try lines { $0.info("say \"hi\"", metadata: ["k": "a\"b", "p": "c\\d", "e": "x=y"]) }
    #expect(line.hasSuffix("info say \"hi\" e=\"x=y\" k=\"a\\\"b\" p=\"c\\\\d\"\n"))
  }

  @Test func aJSONLineIsOneObjectWithTheMetadataUnderTheirNames() throws {
    let line = try lines(json: true) { log in
      log.notice(
        "say \"hi\" ä",
        metadata: [
          "fence": .stringConvertible(7), "held": .stringConvertible(true), "keys": ["a", "b"],
          "lag": .stringConvertible(0.5), "odd": .stringConvertible(Double.nan),
          "lock": ["key": "k", "limit": .stringConvertible(UInt64.max)], "time": "late",
        ])
    }
    #expect(
      line == "{\"time\":\"2026-11-22T14:02:36.728Z\",\"level\":\"notice\",\"message\":\"say \\\"hi\\\" ä\","
        + "\"fence\":7,"
        + "\"held\":true,\"keys\":[\"a\",\"b\"],\"lag\":0.5,\"lock\":{\"key\":\"k\",\"limit\":18446744073709551615},"
        + "\"odd\":\"nan\","
        + "\"metadata.time\":\"late\"}\n")
    #expect(throws: Never.self) { try JSON(parsing: Array(line.utf8)) }
  }

  @Test func linesOfManyThreadsDoNotMix() async throws {
    var ends: [Int32] = [0, 0]
    try #require(pipe(&ends) == 0)
    let sink = LogSink(descriptor: ends[1])
    let log = Logger(label: "test") { _ in LineHandler(sink: sink, form: .json) }
    let writeEnd = ends[1]
    async let writers: Void = withTaskGroup(of: Void.self) { group in
      for writer in 0..<8 {
        group.addTask { for n in 0..<200 { log.info("line", metadata: ["writer": "\(writer)", "n": "\(n)"]) } }
      }
      await group.waitForAll()
      close(writeEnd)
    }
    let content = readAll(ends[0])
    await writers
    close(ends[0])
    let lines = content.split(separator: "\n")
    #expect(Set(lines).count == 1600)
    for line in lines { _ = try JSON(parsing: Array(line.utf8)) }
  }

  @Test(arguments: [
    (Int64(0), "1970-01-01T00:00:00.000Z"), (951_782_400_000_000_000, "2000-02-29T00:00:00.000Z"),
    (4_107_542_399_999_000_000, "2100-02-28T23:59:59.999Z"), (-1, "1969-12-31T23:59:59.999Z"),
    (1_709_164_800_000_000_000, "2024-02-29T00:00:00.000Z"), (Int64.max, "2262-04-11T23:47:16.854Z"),
  ])
  func anInstantIsWrittenInUTCWithMilliseconds(nanoseconds: Int64, expected: String) {
    #expect(timestamp(nanoseconds: nanoseconds) == expected)
  }

  @Test func theJournalIsKnownByItsDeviceAndInodeNotByTheVariableAlone() throws {
    try withFile("") { path in
      let descriptor = open(path, O_RDONLY)
      defer { close(descriptor) }
      var status = stat()
      try #require(fstat(descriptor, &status) == 0)
      let own = ["JOURNAL_STREAM": "\(status.st_dev):\(status.st_ino)"]
      #expect(LogSink.isJournal(descriptor: descriptor, environment: own))
      #expect(!LogSink.isJournal(descriptor: descriptor, environment: ["JOURNAL_STREAM": "8:1"]))
      #expect(!LogSink.isJournal(descriptor: descriptor, environment: [:]))
    }
  }
}
