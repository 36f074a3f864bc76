import Testing

@testable import LeaseholdQueue

@Suite("What is stored of a queue")
struct StoredTests {
  private let names = QueueNames(prefix: "/lh/1")

  @Test(
    "is found again by its key",
    arguments: [
      (QueueKey.entry(lock: "a%2Fb", "00ff"), "/lh/1/q/a%2Fb/00ff"), (.upgrade(lock: "a", "00ff"), "/lh/1/q/a/00ff.u"),
      (.locks("00ff"), "/lh/1/x/00ff"), (.inTime("00ff"), "/lh/1/a/00ff"), (.retry("77"), "/lh/1/y/77"),
      (.end("00ff"), "/lh/1/d/00ff"), (.kind("a"), "/lh/1/c/a"),
    ])
  func keys(_ key: QueueKey, _ text: String) {
    #expect(names.text(key) == text)
    #expect(names.key(text) == key)
  }

  @Test(
    "is not taken for what others wrote", arguments: ["/lh/2/c/a", "/lh/1/c", "/lh/1/q/a", "/lh/1/q//e", "/lh/1/s/n"])
  func foreign(_ text: String) { #expect(names.key(text) == nil) }

  @Test(
    "is followed where it tells how a queue stands",
    arguments: [
      (QueueKey.entry(lock: "~", "e"), true), (.upgrade(lock: "a", "e"), true), (.inTime("e"), true), (.end("e"), true),
      (.kind("a"), true), (.locks("e"), false), (.retry("77"), false),
    ])
  func followed(_ key: QueueKey, _ isFollowed: Bool) {
    let (first, end) = names.followed
    #expect((first <= names.text(key) && names.text(key) < end) == isFollowed)
  }

  @Test(
    "bears each lock's name once",
    arguments: [
      ("deploy", "deploy"), ("a/b", "a%2Fb"), ("50%", "50%25"), ("ä~", "%C3%A4%7E"), (" ", "%20"),
    ])
  func locks(_ name: String, _ part: String) {
    #expect(QueueNames.encoded(name) == part)
    #expect(QueueNames.decoded(part) == name)
  }

  @Test(
    "is no lock's name where it could be written in another way", arguments: ["a/b", "%2f", "%41", "%F", "%FF", "~"])
  func noLock(_ part: String) { #expect(QueueNames.decoded(part) == nil) }

  @Test("of an entry comes back whole")
  func entry() {
    var value = EntryValue(units: 16_384, ttl: 30_000, mark: .max)
    (value.cooldown, value.session, value.retry, value.locks) = (5_000, .max, "77", ["a", "b"])
    (value.isShared, value.count, value.owner, value.peer) = (true, 2, "müller \"x\"", "10.0.0.1")
    (value.ref, value.at, value.shrinksTo) = ("00112233aa", 1_700_000_000_000, 3)
    (value.waited, value.isBound) = (1_500, true)
    value.end = EndValue(reason: "broken", by: "root", at: 7)
    #expect(EntryValue(stored: QueueValue.entry(value).stored) == value)
    let plain = EntryValue(units: 1, ttl: 2_000, mark: 0)
    #expect(EntryValue(stored: QueueValue.entry(plain).stored) == plain)
  }

  @Test("of an entry by a later version is read as far as it is known")
  func unknownMembers() {
    let value = EntryValue(stored: Array(#"{"u":3,"ttl":2000,"mark":"ff","new":{"a":[1]}}"#.utf8))
    #expect(value == EntryValue(units: 3, ttl: 2_000, mark: 255))
  }

  @Test(
    "of an entry that cannot be read takes the whole lock", arguments: ["", "{}", "[1]", #"{"u":-1}"#, #"{"u":1e3}"#])
  func unreadable(_ text: String) {
    let entry = QueueEntry(
      lock: "a", name: "e", created: 1, modified: 1, lease: 1, value: EntryValue(stored: Array(text.utf8)))
    let queue = LockQueue("a", [entry], kind: .readersWriter, kindModified: 1, revision: 1)
    #expect(!queue.hasRoom(for: 1, as: .readersWriter))
  }

  @Test("of spans and counts that no service writes is clamped", arguments: [Int64.min, -100_000, .max])
  func absurd(_ number: Int64) {
    let value = EntryValue(
      stored: Array(#"{"u":1,"ttl":\#(number),"cd":\#(number),"w":\#(number),"n":\#(number)}"#.utf8))
    let span: Int64 = number < 0 ? 0 : 62 * 24 * 3_600_000
    #expect((value.ttl, value.cooldown, value.waited) == (span, span, span))
    #expect(value.count == (number < 0 ? 1 : Int(Int32.max)))
    #expect(EndValue(stored: Array(#"{"grace":\#(number)}"#.utf8)).grace == span)
  }

  @Test("of ends and kinds comes back")
  func endsAndKinds() {
    var end = EndValue(reason: "withdrawn", at: 9)
    (end.mark, end.note, end.lock, end.ref, end.grace) = (5, "maintenance", "a%2Fb", "00112233aa", 9_000)
    #expect(EndValue(stored: QueueValue.end(end).stored) == end)
    let retry = RetryValue(name: "00ff", fingerprint: "1f", secret: "77")
    #expect(RetryValue(stored: QueueValue.retry(retry).stored) == retry)
    #expect(RetryValue(stored: [0xff]) == RetryValue(name: ""))
    for kind in [QueueKind.readersWriter, .counting(limit: 7)] {
      #expect(QueueKind(stored: QueueValue.kind(kind).stored) == kind)
    }
    #expect(QueueKind(stored: Array(#"{"k":"n","u":0}"#.utf8)) == nil)
    #expect(QueueKind(stored: []) == nil)
  }
}
