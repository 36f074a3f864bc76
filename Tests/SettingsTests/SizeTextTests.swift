import Testing

@testable import leasehold

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
