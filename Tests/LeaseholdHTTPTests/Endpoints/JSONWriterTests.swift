import Glibc
import JSONText
import LeaseholdTestKit
import Testing

@testable import LeaseholdHTTP

@Suite struct JSONWriterTests {
  @Test(arguments: [
    ("", "\"\""), ("a", "\"a\""), ("\"", #""\"""#), ("\\", #""\\""#), ("\n", #""\n""#), ("\r", #""\u000d""#),
    ("\t", #""\u0009""#), ("\0", #""\u0000""#), ("\u{7f}", #""\u007f""#), ("é😀\u{2028}", "\"é😀\u{2028}\""),
    ("/", "\"/\""), ("a\"b\\c\nd", #""a\"b\\c\nd""#),
  ])
  func aTextIsEscaped(_ text: String, _ json: String) {
    #expect(written { $0.append(json: text) } == json)
  }

  @Test func whatIsWrittenIsReadBack() throws {
    let seed = UInt64.random(in: 0 ... .max)
    var random = SeededRandom(seed: seed)
    for _ in 0..<2_000 {
      var text = ""
      for _ in 0..<Int.random(in: 0..<20, using: &random) {
        let range: ClosedRange<UInt32> = random.once(in: 2) ? 0...0x7f : 0x80...0xffff
        if let scalar = Unicode.Scalar(UInt32.random(in: range, using: &random)) { text.unicodeScalars.append(scalar) }
      }
      let json = written { buffer in
        buffer.open("a")
        buffer.append(json: text)
        buffer.closeAnswer()
      }
      let found = try withBytes(json) { bytes in
        var reader = JSONMemberReader(bytes)
        _ = try reader.next()
        return try reader.value()
      }
      guard case .string(let read) = found else { throw NeverHappened() }
      #expect(Array(read.utf8) == Array(text.utf8), "seed \(seed)")
    }
  }

  @Test func membersFollowEachOtherWithCommas() {
    let json = written { json in
      json.open("a")
      json.append(decimal: -5)
      json.member("b", 7)
      json.member("c", Int?.none)
      json.member("d", String?.none)
      json.member("e", "x")
      json.member("f", true)
      json.closeAnswer()
    }
    #expect(json == #"{"a":-5,"b":7,"c":null,"d":null,"e":"x","f":true}"# + "\n")
    #expect(written { $0.append(decimal: Int.min) } == "-9223372036854775808")
    #expect(written { $0.append(decimal: UInt64.max) } == "18446744073709551615")
  }

  @Test(
    arguments: [
      (0, "1970-01-01T00:00:00.000Z"), (999_999, "1970-01-01T00:00:00.000Z"), (1_000_000, "1970-01-01T00:00:00.001Z"),
      (-1, "1969-12-31T23:59:59.999Z"), (-1_000_000_000, "1969-12-31T23:59:59.000Z"),
      (951_782_399_999_000_000, "2000-02-28T23:59:59.999Z"), (951_782_400_000_000_000, "2000-02-29T00:00:00.000Z"),
      (1_709_164_800_000_000_000, "2024-02-29T00:00:00.000Z"), (1_709_251_200_000_000_000, "2024-03-01T00:00:00.000Z"),
      (1_735_689_599_999_999_999, "2024-12-31T23:59:59.999Z"), (1_735_689_600_000_000_000, "2025-01-01T00:00:00.000Z"),
      (4_107_542_400_000_000_000, "2100-03-01T00:00:00.000Z"), (-2_203_977_600_000_000_000, "1900-02-28T00:00:00.000Z"),
      (-2_203_891_200_000_000_000, "1900-03-01T00:00:00.000Z"), (Int64.max, "2262-04-11T23:47:16.854Z"),
      (1_763_816_400_000_000_000, "2025-11-22T13:00:00.000Z"),
    ] as [(Int64, String)])
  func anInstantInUTC(_ nanoseconds: Int64, _ text: String) {
    #expect(written { $0.append(rfc3339: nanoseconds) } == "\"\(text)\"")
  }

  @Test func everyDayFrom1700To2261IsTheOneThatLibcSays() {
    for day in stride(from: -98_000, through: 106_000, by: 1) {
      var seconds = time_t(day * 86_400 + 3_661)
      var parts = tm()
      gmtime_r(&seconds, &parts)
      func two(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
      let expected = "\"\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))T01:01:01.000Z\""
      let text = written { $0.append(rfc3339: Int64(seconds) * 1_000_000_000) }
      if text != expected { Issue.record("\(text) is not \(expected)") }
    }
  }
}
