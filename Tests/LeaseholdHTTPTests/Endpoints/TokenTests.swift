import Leasehold
import Testing

@testable import LeaseholdHTTP

@Suite struct TokenTests {
  private func token(_ prefixes: [String]?) throws -> Token {
    var line = try TokenLine("t lock sha256:\(try digest("x").hexadecimal)")
    line.prefixes = prefixes
    return Token(line, account: CallerAccount(label: "token t"))
  }

  private func digest(_ text: String) throws -> SHA256 {
    try #require(Array(text.utf8).withUnsafeBytes { SHA256($0) })
  }

  @Test func theHashIsSHA256() throws {
    // FIPS 180-4 and its examples.
    for (text, hash) in [
      ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
      ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
      (
        "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
      ),
    ] {
      #expect(try digest(text).hexadecimal == hash)
      #expect(SHA256(hexadecimal: hash) == (try digest(text)))
    }
    #expect(SHA256(hexadecimal: String(repeating: "A", count: 64)) == nil)
  }

  @Test func aTokenWithoutPrefixesMayUseEveryName() throws {
    for name in ["a", "php:1", "path:/tmp/../x"] { #expect(try token(nil).mayUse(name: name)) }
  }

  @Test func aPrefixCoversWhatBeginsWithIt() throws {
    let some = try token(["app-", "php:12", "path:/tmp/a/"])
    for name in ["app-", "app-1", "php:12", "php:1234", "path:/tmp/a/b"] { #expect(some.mayUse(name: name), "\(name)") }
    for name in [
      "app", "App-1", "xapp-1", "php:1", "php:0x12", "sysv:12.0", "path:/tmp/a", "path:/tmp/a/../b", "path:/tmp/a/..",
      "",
    ] {
      #expect(!some.mayUse(name: name), "\(name)")
    }
  }

  @Test func aPrefixOfAnOwnNameCoversNoNativeOne() throws {
    let some = try token(["p", "s", "a"])
    for name in ["pool", "sum", "a"] { #expect(some.mayUse(name: name), "\(name)") }
    for name in ["php:1", "path:/tmp/x", "sysv:1.0", "apache:x", "shm:1"] {
      #expect(!some.mayUse(name: name), "\(name)")
    }
  }

  @Test func namesAreComparedAsBytes() throws {
    // A composed and a decomposed letter are equal as text, and two locks.
    #expect(try !token(["\u{e9}"]).mayUse(name: "e\u{301}"))
  }

  @Test func aMadeLineIsReadBack() throws {
    let made = try TokenLine.make(name: "ci", role: "lock", options: ["keys=a%2Cb,php:", "ttl-max=90s"])
    let line = try TokenLine(made.line[...])
    #expect(line.name == "ci" && line.role == .lock && line.prefixes == ["a,b", "php:"])
    #expect(line.ttlMax == .seconds(90))
    #expect(line.digest == (try digest(made.token)))
    #expect(!made.line.contains(made.token) && made.token.utf8.count == 67)
    #expect(try TokenLine.make(name: "ci", role: "lock", options: []).token != made.token)
    for (name, role) in [("", "lock"), ("a b", "lock"), ("a", "king"), ("a", ""), ("a\nb", "lock")] {
      #expect(throws: TokenLine.Flaw.self) { try TokenLine.make(name: name, role: role, options: []) }
    }
  }

  @Test func readingIsForReadersAndChangingForThoseWhoMayLock() {
    let free = Endpoint.all.filter { $0.role == .nobody }.map { "\($0.operation)" }
    #expect(free == ["health", "ready", "docs"])
    for endpoint in Endpoint.all where endpoint.role != .nobody {
      let isRead = endpoint.method == .get
      #expect(isRead ? endpoint.role == .read : endpoint.role >= .lock, "\(endpoint.operation)")
    }
  }

  @Test func accountsAreSharedByNameAndForgottenWhenNobodyUsesThem() {
    var limits = Limits()
    limits.perCaller[.leases] = 5
    let accounts = CallerAccounts(limits, connections: 100)
    let kept = accounts.account(token: "a")
    #expect(accounts.account(token: "a") === kept)
    #expect(kept.hasRoom(for: .leases, 5) && !kept.hasRoom(for: .leases, 6))
    #expect(kept.hasRoom(for: .waiters, limits.waiters / 2) && !kept.hasRoom(for: .waiters, limits.waiters / 2 + 1))
    for user in 0..<2000 { _ = accounts.account(.local(pid: 1, uid: UInt32(user), gid: 0)) }
    #expect(accounts.account(token: "a") === kept)
    let labels = [
      (Peer.ipv4(0x7f00_0001, port: 5), "loopback"), (.ipv4(0x7f01_0203, port: 6), "loopback"),
      (.ipv6(0, 1, port: 5), "loopback"), (.ipv4(0xc000_0207, port: 5), "192.0.2.7"),
      (.local(pid: 7, uid: 33, gid: 0), "uid 33"),
    ]
    for (peer, label) in labels { #expect(accounts.account(peer).label == label) }
    #expect(accounts.account(.ipv6(9, 1, port: 1)).label == accounts.account(.ipv6(9, 2, port: 2)).label)
  }
}

extension Token {
  fileprivate func mayUse(name: String) -> Bool { confinement?.covers(name) ?? true }
}
