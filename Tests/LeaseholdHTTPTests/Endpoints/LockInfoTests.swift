import Testing

@testable import Leasehold
@testable import LeaseholdHTTP

@Suite struct LockInfoTests {
  private func info(_ text: String) throws -> LockInfo { try withBytes(text) { try LockInfo($0) } }

  private let id = LeaseID(high: 0x0123_4567_89ab_cdef, low: 0x0123_4567_89ab_cdef)

  private func holder(_ owner: String?) -> Holder {
    Holder(
      id: id, mode: .exclusive, count: 1, fence: 1, owner: owner, ttl: .seconds(1),
      grantedAt: MonotonicInstant(nanoseconds: 0), peer: .ipv4(0x7f00_0001, port: 7))
  }

  private func members(_ info: LockInfo) -> [String] { info.facts.map { "\($0.name)=\($0.value)" } }

  @Test func itsMembersAreKeptAndOthersAreNot() throws {
    let read = try info(#"{"Who":"ann@laptop","ID":"a-1","Info":"","Serial":7,"Path":"p","Extra":{"a":[1]}}"#)
    #expect(read.id == "a-1")
    #expect(members(read) == [#"ID=text("a-1")"#, #"Who=text("ann@laptop")"#, #"Path=text("p")"#])
  }

  @Test(arguments: [
    ("ann@laptop", "a-1"), ("", "x"), ("a (terraform b)", "c"), ("me) (", "d"),
    (String(repeating: "é", count: 100), "e"),
    (String(repeating: "w", count: 500), String(repeating: "9", count: 64)),
  ])
  func theOwnerTellsWhoAndTheID(_ who: String, _ id: String) throws {
    let owner = try info(#"{"ID":"\#(id)","Who":"\#(who)"}"#).owner
    #expect((1...Limits.ownerBytes).contains(owner.utf8.count))
    let found = LockInfo(holder(owner))
    #expect(found.id == id)
    let shown = try #require(found.facts.last)
    guard case .text(let text) = shown.value else {
      Issue.record("Who is a text")
      return
    }
    #expect(!text.isEmpty && (who.isEmpty ? text == "somebody" : who.hasPrefix(text)))
  }

  @Test(
    arguments: [
      (nil, "127.0.0.1:7"), ("ann: new schema", "ann: new schema"), ("(terraform)", "(terraform)"),
      ("x (terraform )", "x (terraform )"), (")", ")"),
    ] as [(String?, String)])
  func anotherHolderIsNamedByItsRef(_ owner: String?, _ who: String) throws {
    let found = LockInfo(holder(owner))
    #expect(members(found) == [#"ID=text("0123456789")"#, "Who=text(\"\(who)\")"])
  }

  @Test func noMoreAreKeptThanThereIsRoomFor() throws {
    let kept = LockInfos()
    for number in 0...LockInfos.statesMax {
      kept.keep(try info(#"{"ID":"\#(number)"}"#), of: id, on: try LockKey(utf8: "terraform:\(number)".utf8))
    }
    let known = try (0...LockInfos.statesMax).count { number in
      kept.lease(of: try info(#"{"ID":"\#(number)"}"#), on: try LockKey(utf8: "terraform:\(number)".utf8)) != nil
    }
    #expect(known == LockInfos.statesMax)
    let last = try LockKey(utf8: "terraform:\(LockInfos.statesMax)".utf8)
    #expect(kept.lease(of: try info(#"{"ID":"another"}"#), on: last) == nil)
  }
}

@Suite struct BasicCredentialsTests {
  @Test(arguments: [
    ("Basic YW5uOnNlY3JldA==", "secret"), ("bASIC Og==", ""), ("Basic YTpiOmM=", "b:c"), ("Basic Ojov", ":/"),
  ])
  func thePasswordStandsBehindTheFirstColon(_ header: String, _ password: String) {
    #expect(withBytes(header) { Guard.password($0) } == Array(password.utf8))
  }

  @Test(arguments: [
    "", "Basic", "Basic ", "Bearer YTpi", "Basic YTpi=", "Basic YTp", "Basic Y=pi", "Basic ====", "Basic YTp\u{e9}",
    "Basic YWJj", "Basic  YTpi", "Basic " + String(repeating: "YTpi", count: 300),
  ])
  func whatIsNoCredentialsIsNone(_ header: String) {
    #expect(withBytes(header) { Guard.password($0) } == nil)
  }
}
