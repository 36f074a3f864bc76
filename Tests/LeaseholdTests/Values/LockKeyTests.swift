import Leasehold
import Testing

@Suite struct LockKeyTests {
  @Test(arguments: ["a", "jobs/42", "größe", " ", "php", "phpx:1", "PHP:1", String(repeating: "k", count: 255)])
  func aNameMayBeAnyText(_ text: String) throws { #expect(try LockKey(utf8: text.utf8).text == text) }

  static let flawed: [([UInt8], LockKey.Flaw)] = [
    ([], .empty),
    (Array(repeating: 0x61, count: 256), .tooLong(256)),
    (Array("a\u{0}b".utf8), .controlCharacter(at: 1)),
    (Array("ab\u{1f}".utf8), .controlCharacter(at: 2)),
    (Array("ab\u{7f}".utf8), .controlCharacter(at: 2)),
    (Array("\n".utf8), .controlCharacter(at: 0)),
    ([0x61, 0xff], .notUTF8),
    ([0xc0, 0xaf], .notUTF8),
    ([0xed, 0xa0, 0x80], .notUTF8),
    ([0xe2, 0x82], .notUTF8),
    (Array("php:1".utf8), .reservedPrefix("php:")),
    (Array("apache:".utf8), .reservedPrefix("apache:")),
    (Array("path:/tmp".utf8), .reservedPrefix("path:")),
    (Array("sysv:0x1".utf8), .reservedPrefix("sysv:")),
  ]

  @Test(arguments: flawed) func aFlawIsNamed(_ bytes: [UInt8], _ flaw: LockKey.Flaw) {
    #expect(throws: flaw) { try LockKey(utf8: bytes) }
  }
}
