import LeaseholdClient
import Testing

@testable import leasehold

@Suite struct TopTests {
  private func view(_ keys: String) -> TopView {
    var view = TopView()
    let more = keys.utf8.map { view.take($0) }
    #expect(more.allSatisfy { $0 })
    return view
  }

  private func names(_ view: TopView) -> [String] {
    func list(_ text: String) -> [JSON] { (JSON(Array(text.utf8)) ?? .null).elements }
    let locks = list(
      """
      [{"key":"b","held":1,"waiting":0},{"key":"a","held":3,"waiting":1},{"key":"c","held":0,"waiting":2},\
      {"key":"d","held":1,"waiting":0}]
      """)
    let leases = list(#"[{"key":"b","owner":"Ann"},{"key":"a","owner":"bob"}]"#)
    return view.chosen(locks, leases: leases).map { $0.lock["key"].string ?? "" }
  }

  @Test(arguments: [("", ["c", "a", "b", "d"]), ("s", ["a", "b", "d", "c"]), ("ss", ["a", "b", "c", "d"])])
  func keysSort(_ keys: String, _ order: [String]) { #expect(names(view(keys)) == order) }

  @Test func aLeaseOnSeveralLocksStandsBesideEach() {
    func list(_ text: String) -> [JSON] { (JSON(Array(text.utf8)) ?? .null).elements }
    let shown = TopView().chosen(
      list(#"[{"key":"a"},{"key":"b"},{"key":"c"}]"#),
      leases: list(#"[{"key":"a","locks":["a","b"],"owner":"Ann"}]"#))
    #expect(shown.map { $0.leases.compactMap { $0["owner"].string } } == [["Ann"], ["Ann"], []])
  }

  @Test func afterTheLastOrderComesTheFirst() { #expect(view("sss") == TopView()) }

  @Test(arguments: [
    ("/ann", ["b"]), ("/B\r", ["a", "b"]), ("/bx\u{7f}", ["a", "b"]), ("/ann\u{1b}", ["c", "a", "b", "d"]),
    ("/s", []), ("/q\r\u{1b}", ["c", "a", "b", "d"]),
  ])
  func aFilterIsAPartOfANameOrOfAnOwners(_ keys: String, _ order: [String]) { #expect(names(view(keys)) == order) }

  @Test(arguments: [("/", "q", true), ("/", "\u{3}", false), ("", "q", false), ("", "\u{3}", false), ("", "x", true)])
  func whatEndsItIsNoLetterOfAFilter(_ before: String, _ key: Character, _ goesOn: Bool) throws {
    var view = view(before)
    let more = view.take(try #require(key.asciiValue))
    #expect(more == goesOn)
  }

  @Test(arguments: [
    ("deploy-web-01", 9, "depl…b-01"), ("deploy-web-01", 13, "deploy-web-01"), ("abc", 2, "a…"), ("abc", 1, "…"),
    ("abc", 0, "abc"),
  ])
  func namesAreCutInTheirMiddle(_ text: String, _ width: Int, _ cut: String) {
    #expect(Table.cut(text, to: width) == cut)
  }
}
