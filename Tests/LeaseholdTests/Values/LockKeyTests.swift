import Leasehold
import Testing
import SysVTypes

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
    (Array("php:".utf8), .native(.malformed("php:1234 or php:0x4d2"))),
    (Array("php:12x".utf8), .native(.malformed("php:1234 or php:0x4d2"))),
    (Array("apache:".utf8), .native(.malformed("apache:SESSION_ID"))),
    (Array("sharelite:".utf8), .native(.malformed("sharelite:1971 or sharelite:0x7b3"))),
    (Array("sharelite:demo".utf8), .native(.malformed("sharelite:1971 or sharelite:0x7b3"))),
    (Array("sharelite:0".utf8), .native(.privateKey)),
    (Array("path:tmp".utf8), .native(.malformed("path:%2Ftmp%2Fsem_file, an absolute path with its slashes encoded"))),
    (Array("php:0".utf8), .native(.privateKey)),
    (Array("sysv:0x0.1".utf8), .native(.privateKey)),
  ]

  @Test(arguments: flawed) func aFlawIsNamed(_ bytes: [UInt8], _ flaw: LockKey.Flaw) {
    #expect(throws: flaw) { try LockKey(utf8: bytes) }
  }

  @Test(
    arguments: [
      ("php:1234", .php(1234)), ("php:0x4d2", .php(1234)), ("php:-559038737", .php(-559_038_737)),
      ("php:3735928559", .php(-559_038_737)), ("php:0xDEADBEEF", .php(-559_038_737)), ("apache:a:b", .apache("a:b")),
      ("sharelite:1971", .sharelite(1971)), ("sharelite:0x7B3", .sharelite(1971)),
      ("path:/tmp/x", .path("/tmp/x")), ("sysv:0x10.2", .semaphore(.key(16), number: 2)),
      ("sysv:id:98.0", .semaphore(.id(98), number: 0)), ("sysv:-5.65535", .semaphore(.key(-5), number: 65_535)),
    ] as [(String, NativeName)])
  func aNativeNameIsRead(_ text: String, _ name: NativeName) throws {
    #expect(try LockKey(utf8: text.utf8).native == name)
  }

  @Test(arguments: ["php:4294967296", "php:-2147483649", "php:0x100000000", "sysv:1.65536", "sysv:id:2147483648.0"])
  func aNativeNameOutOfRangeIsRefused(_ text: String) {
    do {
      _ = try LockKey(utf8: text.utf8)
      Issue.record("\(text) was taken")
    } catch {
      guard case .native(.outOfRange) = error else {
        Issue.record("\(error)")
        return
      }
    }
  }

  @Test func spellingsOfOneKeyMeanOneLock() throws {
    let decimal = try LockKey(utf8: "php:1234".utf8)
    #expect(decimal.means(try LockKey(utf8: "php:0x4d2".utf8)) && decimal.means(decimal))
    #expect(!decimal.means(try LockKey(utf8: "php:1235".utf8)))
    #expect(!decimal.means(try LockKey(utf8: "sysv:1234.0".utf8)))
    #expect(!(try LockKey(utf8: "a".utf8)).means(try LockKey(utf8: "b".utf8)))
  }
}
