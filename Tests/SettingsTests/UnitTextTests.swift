import Testing

@testable import leasehold

@Suite struct DurationTextTests {
  @Test(arguments: [
    ("250ms", Duration.milliseconds(250)), ("30s", .seconds(30)), ("1.5m", .seconds(90)), ("2h", .seconds(7200)),
    ("30", .seconds(30)), ("0.25", .milliseconds(250)), ("0", .zero), ("0s", .zero), ("0.5ms", .microseconds(500)),
    ("720h", .seconds(2_592_000)), ("1.000000001s", .nanoseconds(1_000_000_001)), ("0.0000000001s", .zero),
    ("2562047h", .seconds(2_562_047 * 3600)),
  ])
  func aDurationIsDigitsPerhapsAPointAndPerhapsAUnit(text: String, expected: Duration) {
    #expect(DurationText.parse(text) == expected)
  }

  @Test(arguments: [
    "", "s", "ms", "5x", "-1s", "+1s", "1,5s", "1.5.2s", ".5s", "5.s", " 5s", "5 s", "1e3", "0x10", "5S", "1h30m",
    "٣s", "999999999999999h", "1234567890123456s", "inf", "nan",
  ])
  func anythingElseIsNoDuration(text: String) {
    #expect(DurationText.parse(text) == nil)
  }

  @Test(arguments: [
    (Duration.zero, "0s"), (.milliseconds(100), "100ms"), (.milliseconds(1500), "1500ms"), (.seconds(60), "60s"),
    (.seconds(90), "90s"), (.seconds(600), "10m"), (.seconds(3600), "1h"), (.seconds(86_400), "24h"),
  ])
  func aDurationIsWrittenWithTheLargestUnitThatNeedsNoPoint(duration: Duration, expected: String) {
    #expect(DurationText.text(duration) == expected)
    #expect(DurationText.parse(expected) == duration)
  }
}

@Suite struct SizeTextTests {
  @Test(arguments: [
    ("16KiB", 16_384), ("1MiB", 1_048_576), ("2GiB", 2_147_483_648), ("65536", 65_536), ("0", 0), ("0KiB", 0),
  ])
  func aSizeIsDigitsAndPerhapsAUnit(text: String, expected: Int) {
    #expect(SizeText.parse(text) == expected)
  }

  @Test(arguments: [
    "", "KiB", "16KB", "16kib", "16 KiB", "-1", "+1", "1.5MiB", "0x10", "999999999999999GiB", "1234567890123456",
  ])
  func anythingElseIsNoSize(text: String) {
    #expect(SizeText.parse(text) == nil)
  }

  @Test(arguments: [(0, "0"), (1000, "1000"), (16_384, "16KiB"), (1_048_576, "1MiB"), (1_073_741_824, "1GiB")])
  func aSizeIsWrittenWithTheLargestUnitThatDividesIt(bytes: Int, expected: String) {
    #expect(SizeText.text(bytes) == expected)
    #expect(SizeText.parse(expected) == bytes)
  }
}
