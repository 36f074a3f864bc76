import SysVTypes
import Testing

@Suite struct KeyReadingTests {
  @Test(arguments: [
    ("31818", 31_818), ("0x7c4a", 31_818), ("0XFFFFFFFF", -1), ("4294967295", -1), ("-2147483648", Int32.min),
    ("3735928559", -559_038_737), ("0x00000007c4a", 31_818),
  ])
  func aKeyIsDecimalOrHexadecimal(_ text: String, _ key: Int32) {
    #expect(IPCKey.read(text) == .key(IPCKey(rawValue: key)))
  }

  @Test(arguments: ["0", "0x0", "-0", "000"]) func keyZeroIsPrivate(_ text: String) {
    #expect(IPCKey.read(text) == .zero)
  }

  @Test(arguments: ["4294967296", "-2147483649", "0x100000000", "99999999999999999999999"])
  func aKeyOfMoreThan32BitsIsTooWide(_ text: String) { #expect(IPCKey.read(text) == .tooWide) }

  @Test(arguments: ["", "0x", "x", "1 ", "+1", "--1", "0x+1", "1.0", "ff", "0b1"])
  func aKeyIsNothingElse(_ text: String) { #expect(IPCKey.read(text) == .malformed) }
}
