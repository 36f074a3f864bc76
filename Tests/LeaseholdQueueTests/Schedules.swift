@testable import LeaseholdQueue
import Testing

/// For each rule a way to break the recipe without it.
///
/// A word names the beginning of a step; with "?" before it, it is taken if it can be. "*" takes whatever is no fault
/// until nothing is left.
struct Schedule: Sendable, CustomTestStringConvertible {
  let rule: String
  let scenario: String
  let words: [String]

  var testDescription: String { rule }

  private init(_ rule: String, _ scenario: String, _ words: [String]...) {
    (self.rule, self.scenario, self.words) = (rule, scenario, words.flatMap { $0 })
  }

  private static func ask(_ client: Int, _ server: Int) -> [String] { ["client \(client) asks server \(server)"] }
  private static func bind(_ client: Int, _ server: Int) -> [String] {
    [
      "server \(server) enqueues \(client)", "server \(server): \(client) is next",
      "server \(server) re-binds \(client)",
    ]
  }
  private static func told(_ client: Int) -> [String] { ["client \(client) is told"] }
  private static func get(_ client: Int, _ server: Int) -> [String] {
    ask(client, server) + bind(client, server) + told(client)
  }
  private static let lost = ["fault client 0 loses its connection"]
  private static let dead = ["fault the deadline of a lease passes", "etcd ends a lease"]
  private static let end = ["fault the session of server 0 ends"]
  private static let old = ["fault a member falls behind"]
  private static let up = ["client 0 asks for the writer"]
  private static let bound = [
    "server 0 queues", "?server 0: the upgrade of 0 is next", "server 0 binds", "client 0 is told: writer",
  ]

  static let all: [Schedule] = acquiring + retrying + holding + waiting + upgrading

  private static let acquiring = [
    Schedule("create0", "late", ask(0, 0), lost, bind(0, 1), told(0), ["server 0 enqueues 0"], end, get(1, 1)),
    Schedule("freshView", "stale", get(0, 0), get(1, 0)),
    Schedule(
      "rebind", "session", ask(0, 0), ["server 0 enqueues 0", "server 0: 0 is next", "?server 0 re-binds 0"],
      told(0), end, ask(1, 1), ["server 1 enqueues 1", "server 1: 1 is next", "?server 1 re-binds 1"], told(1)),
    Schedule(
      "rebindCreate", "session", ask(0, 0), Array(bind(0, 0)[..<2]), end, get(1, 1), ["server 0 re-binds 0"], told(0)),
    Schedule(
      "rebindLease", "late", ask(0, 0), Array(bind(0, 0)[..<2]), lost,
      ["server 1 finds the entry of 0", "server 1 adopts", "server 1: 0 is next", "server 1 re-binds 0"], told(0),
      ["server 0 re-binds 0", "server 0 cannot deliver", "server 0 takes back"], get(1, 1)),
    Schedule(
      "fastGuard", "try", ask(0, 0), ask(1, 1),
      ["server 0: there is room", "server 1: there is room", "server 0 puts 0", "server 1 puts 1"], told(0), told(1)),
    Schedule(
      "waitersGuard", "maximum", get(0, 0), ask(1, 1), ask(2, 0),
      [
        "server 1: the queue has a place", "server 0: the queue has a place", "server 1 enqueues 1",
        "server 0 enqueues 2",
      ]),
    Schedule(
      "refuseFresh", "causal", get(0, 0), ["server 1 sees the queue", "client 0 releases", "server 0 deletes 0"],
      ask(1, 1), ["?server 1: no room for 1 in its view", "server 1: 423 to 1"]),
    Schedule(
      "settleMark", "settle", ask(0, 0), lost,
      [
        "server 0: there is room", "fault server 0 puts 0, the answer is lost", "server 1: no room for 0",
        "server 1 finds 0 granted", "server 1 replays",
      ], told(0),
      ["server 0 settles 0: takes", "server 0 takes back", "client 1 asks server 1", "server 1: there is room"],
      ["server 1 puts 1"], told(1)),
    Schedule(
      "oneTransaction", "several", ask(0, 0), ask(1, 1),
      ["server 0 enqueues 0 on x", "server 1 enqueues 1 on y", "*"]),
  ]

  private static let retrying = [
    Schedule(
      "claimGuard", "break", ask(0, 0), bind(0, 0), lost,
      ["server 1 finds 0 granted", "fault an operator breaks 0"], get(1, 1), ["server 1 replays the grant of 0"],
      told(0)),
    Schedule(
      "undoGuard", "late", ask(0, 0), bind(0, 0), lost, ["server 1 finds 0 granted", "server 1 replays"], told(0),
      ["server 0 cannot deliver", "server 0 takes back"], get(1, 1)),
    Schedule(
      "replayClaims", "late", ask(0, 0), bind(0, 0), lost, ["?server 1 finds 0 granted", "server 1 replays"], told(0),
      ["server 0 cannot deliver", "server 0 takes back"], get(1, 1)),
    Schedule(
      "replayKept", "late", ask(0, 0), lost, bind(0, 1), ["server 0 finds 0 granted", "server 0 replays"], told(0),
      ["server 0 cannot deliver to", "server 0 takes back"], get(1, 1)),
    Schedule(
      "noShorter", "longer", ask(0, 0), lost, bind(0, 1), told(0),
      ["client 0 renews with a longer", "server 0 looks", "server 0 renews 0"],
      ["server 0 finds 0 granted", "server 0 replays the grant of 0"],
      ["fault the deadline of a lease passes", "etcd ends a lease"], get(1, 1)),
    Schedule(
      "reconcileGuard", "orphan", ask(0, 0), ["fault server 0 enqueues 0, the answer is lost"], old,
      ["client 0 asks again, server 1", "server 1 finds the entry of 0", "server 1 adopts", "server 1: 0 is next"],
      ["server 1 re-binds 0"], told(0), ["server 0 deletes what its table does not know (old read)"], get(1, 1)),
    Schedule(
      "reconcile", "unknown", ask(0, 0), ["fault server 0 enqueues 0, the answer is lost", "client 0 gives up"],
      ask(1, 1), ["*"]),
  ]

  private static let holding = [
    Schedule("ownDeadline", "clock", get(0, 0), dead, get(1, 1)),
    Schedule("answerClock", "clock", ask(0, 0), bind(0, 0), dead, get(1, 1), told(0)),
    // What a leader that was deposed says, and what a member that fell behind shows: all is well.
    Schedule(
      "renewWrite", "renew", get(0, 0), old, ["client 0 renews"], dead, get(1, 1),
      ["server 0 renews 0 by keepalive and read (old read)"]),
    Schedule(
      "renewGuard", "renew", get(0, 0), old, ["client 0 renews"], dead, get(1, 1),
      ["server 0 looks what to renew of 0 (old read)", "server 0 renews 0"]),
    Schedule(
      "renewState", "broken", get(0, 0),
      ["client 0 renews", "fault an operator breaks 0, with", "server 0 looks", "server 0 renews 0"]),
    Schedule(
      "renewUp", "updown", get(0, 0), up, bound, ["client 0 renews", "server 0 looks", "server 0 renews 0"],
      ["etcd ends a lease", "client 1 asks server 1"], bind(1, 1), told(1)),
    Schedule(
      "shortClock", "newttl", get(0, 0),
      ["client 0 renews with a shorter", "server 0 looks", "fault server 0 renews 0, the answer is lost"], dead,
      get(1, 1)),
    Schedule(
      "releaseState", "broken", get(0, 0), ["client 0 releases", "fault an operator breaks 0, with"],
      ["server 0 deletes 0", "server 0 deletes 0"]),
    Schedule(
      "coolGuard", "cooldown", get(0, 0), ["client 0 releases"],
      ["fault the deadline of a lease", "etcd ends the marker", "server 0 deletes 0"]),
  ]

  private static let waiting = [
    Schedule(
      "timer", "watch", get(0, 0), ask(1, 1),
      ["server 1 enqueues 1", "fault the watch of server 1", "client 0 releases", "*"]),
    Schedule(
      "forget", "session", get(0, 0), ask(1, 1), ["server 1 enqueues 1", "fault the session of server 1 ends", "*"]),
    Schedule(
      "oneView", "shrinkview", get(0, 0),
      ["server 1 sees the queue", "fault the watch of server 1", "operator shrinks", "server 1 sees the queue"],
      ["operator: the blocker is held"], get(1, 1)),
    Schedule("blocker", "shrink", get(0, 0), get(1, 1), ["operator"]),
  ]

  private static let upgrading = [
    Schedule(
      "upEntry", "upgrade", get(0, 0), get(1, 1), up,
      ["?server 0 raises", "?server 0 queues the upgrade of 0", "client 0 is told: writer"]),
    Schedule(
      "upAlone", "upwriter", get(0, 0), ask(1, 1), ["server 1 enqueues 1"], up,
      ["server 0 queues the upgrade of 0", "*"]),
    Schedule(
      "upSession", "upcrash", get(0, 0), up, ["server 0 queues the upgrade of 0", "fault server 0 crashes"],
      ask(1, 1), ["*"]),
    Schedule(
      "upFence", "upfence", get(0, 0), get(1, 1), ["client 1 releases", "server 0 deletes 1"], up, bound),
  ]
}
