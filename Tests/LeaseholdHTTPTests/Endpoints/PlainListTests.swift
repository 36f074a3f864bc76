import Testing

@testable import Leasehold
@testable import LeaseholdHTTP

@Suite struct PlainListTests {
  @Test(arguments: [
    ("pay", "repay-1", true), ("PAY", "pay", true), ("pay", "pa", false), ("pay*", "pay/settle", true),
    ("pay*", "repay", false), ("*pay", "repay", true), ("*", "", true), ("a*b*c", "a-bb-c", true),
    ("a*b*c", "a-c-b", false), ("a*a", "a", false), ("a**a", "aa", true), ("*ab*ab*", "abab", true),
    ("*ab*ab*", "ab", false), ("GRÜ*", "grüße", true), ("e", "e\u{301}", true),
  ])
  func aPatternIsAPartOrWithAStarTheWhole(_ pattern: String, _ text: String, _ matches: Bool) {
    #expect(PlainList.Pattern(pattern).matches(text) == matches)
  }

  @Test(arguments: [
    (0, "0 s"), (59_999, "59 s"), (60_000, "1 min 0 s"), (599_999, "9 min 59 s"), (600_000, "10 min"),
    (3_599_000, "59 min"), (3_600_000, "1 h 0 min"), (35_999_000, "9 h 59 min"), (36_000_000, "10 h"),
    (172_799_000, "47 h"), (172_800_000, "2 days"), (-5, "0 s"),
  ])
  func timesAreSaidInTheirLargestUnits(_ milliseconds: Int64, _ words: String) {
    #expect(TimeSpan.milliseconds(milliseconds).inWords == words)
  }

  @Test(
    arguments: [
      (.readersWriter, 1, "readers and writer"), (.counting(limit: 1), 0, "one at a time"),
      (.counting(limit: 4), 1, "3 of 4 slots"), (.counting(limit: 0), 0, "paused"), (.slots, 2, "2 to be had"),
      (.slots, nil, "slots"),
    ] as [(LockKind, Int?, String)])
  func aLockSaysWhatRoomItHas(_ kind: LockKind, _ available: Int?, _ words: String) {
    var lock = LockSnapshot(key: LockKey(trusted: "a"), kind: kind, capacity: nil, version: 0)
    lock.available = available
    #expect(lock.slotsInWords == words)
  }

  @Test func namesAreOneSegmentAndNoMarkup() {
    let html: HTML = "\(encoded: "a/b ü?&<")\(name: "<b>&\u{202e}\"'")"
    #expect(html.text == "a%2Fb%20%C3%BC%3F%26%3C<bdi>&lt;b&gt;&amp;\\u{202e}&quot;&#39;</bdi>")
  }
}
