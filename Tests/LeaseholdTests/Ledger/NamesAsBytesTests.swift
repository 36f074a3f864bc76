import LeaseholdTestKit
import Testing

@testable import Leasehold

/// Names are their bytes: a composed and a decomposed letter are two of everything.
@Suite struct NamesAsBytesTests {
  private let scene = Scene()

  static let composed = "caf\u{e9}"
  static let decomposed = "cafe\u{301}"

  @Test func theyAreTwoLocksThroughARestart() {
    #expect(Self.composed == Self.decomposed, "Swift takes them for one")
    scene.acquire("ann", Self.composed)
    #expect(scene.acquire("bob", Self.decomposed) == nil)
    #expect(scene.ledger.status().locks == 2)
    scene.restart()
    #expect(scene.has("ann") && scene.has("bob") && scene.ledger.status().locks == 2 && scene.flaws().isEmpty)
    #expect(scene.acquire("cat", Self.decomposed) == .locked && scene.acquire("cat", Self.composed) == .locked)
    #expect(scene.release("ann") == nil && scene.acquire("cat", Self.decomposed) == .locked)
    #expect(scene.acquire("cat", Self.composed) == nil)
  }

  @Test func theyAreTwoNamesOfALease() throws {
    scene.acquire("ann", Self.composed)
    let id = try #require(scene.leases["ann"]?.id)
    #expect(throws: LeaseholdError.self) {
      try scene.ledger.release(id, key: Scene.key(Self.decomposed), at: scene.daemon.moment)
    }
    #expect(scene.has("ann"))
    #expect(scene.acquire("bob", several: [Self.decomposed, "x"]) == nil)
  }

  @Test func theyAreTwoOwners() {
    for (who, key, owner) in [("ann", "a", Self.composed), ("bob", "b", Self.decomposed)] {
      scene.acquire(who, key) { $0.owner = owner }
    }
    scene.restart()
    var filter = ListFilter()
    filter.owner = Self.composed
    #expect(scene.ledger.leases(filter).entries.map(\.key.text) == ["a"])
    scene.history.letGo { $0.key.text == "a" }
    #expect(scene.ledger.releaseAll(owner: Self.composed, key: nil, of: nil, at: scene.daemon.moment).count == 1)
    #expect(scene.has("bob") && !scene.has("ann"))
  }

  @Test func theyAreTwoBeginningsAndTwoKeys() throws {
    scene.acquire("ann", Self.composed + "x") { $0.idempotencyKey = Self.composed }
    scene.acquire("bob", Self.decomposed + "x") { $0.idempotencyKey = Self.composed }
    #expect(scene.leases["bob"]?.replayed == false)
    var filter = ListFilter()
    filter.keyPrefix = Self.composed
    #expect(scene.ledger.locks(filter).entries.count == 1 && scene.ledger.leases(filter).entries.count == 1)
    filter.keyPrefix = "cafe"
    #expect(scene.ledger.locks(filter).entries.count == 1, "a beginning may end within what is shown as one letter")
    let scopes = Set(
      [Self.composed, Self.decomposed].map { IdempotencyScope(lock: Scene.key("a"), key: $0, door: 0) })
    #expect(scopes.count == 2)
  }

  @Test func theyAreTwoNativeNames() throws {
    for prefix in ["apache:", "path:/tmp/"] {
      let (one, other) = (Scene.key(prefix + Self.composed), Scene.key(prefix + Self.decomposed))
      #expect(one.native != other.native && !one.means(other) && one != other && one.means(one))
    }
  }

  static let hidden = [
    "\u{202e}", "\u{200b}", "\u{2028}", "\u{2029}", "\u{2066}", "\u{feff}", "\u{ad}", "\u{200d}",
    "\u{a0}", "\u{3000}", "\u{e0041}", "\u{115f}",
  ]

  @Test(arguments: hidden) func aNewNameWithWhatNobodySeesIsRefused(_ text: String) throws {
    #expect(scene.acquire("ann", "a\(text)b") == .badKey)
    #expect(scene.acquire("ann", several: ["x", "a\(text)"]) == .badKey)
    let code = String(try #require(text.unicodeScalars.first).value, radix: 16, uppercase: true)
    #expect(scene.refusals["ann"]?.detail.contains("U+") == true)
    #expect(scene.refusals["ann"]?.detail.contains(code) == true, "the refusal names the character")
    #expect(Scene.key("a\(text)b").hiddenCharacter?.offset == 1)
    #expect(throws: LeaseholdError.self) {
      let request = Scene.request("a\(text)b")
      return try scene.ledger.open(request.want, for: request.caller, at: scene.daemon.moment)
    }
  }

  @Test(arguments: ["größe", "ロック", "a b", "Ωmega", "नमस्ते", "🔒", "e\u{301}"])
  func otherNamesAreTaken(_ text: String) {
    #expect(scene.acquire("ann", text) == nil && Scene.key(text).hiddenCharacter == nil)
  }

  @Test func aNameInAPathIsEncoded() {
    #expect(Scene.key("a/b ?\u{e9}~").pathSegment == "a%2Fb%20%3F%C3%A9~")
  }
}
