@testable import LeaseholdQueue

/// What can go wrong, so many times.
enum Fault: String, Hashable, CaseIterable, Sendable {
  case lag, impatient, session, breaks, renew, clock, newTTL, longer, unknown, crash, silent, keepBug, shrink, down
}

/// A rule that is not the queue's own but a holder's or a server's, for a test to take away.
enum OuterRule: String, CaseIterable {
  /// Holders stop at their deadline.
  case ownDeadline
  /// A holder that asks for a shorter ttl counts by it from the asking on.
  case shortClock
  /// Views are read again on a timer.
  case timer
  /// Queue and capacity are read at one revision.
  case oneView
  /// A renewal is a transaction that writes.
  case renewWrite
  /// Several locks are taken in one transaction.
  case oneTransaction
}

/// Some clients and what may go wrong, from an empty store on.
struct Scenario: Sendable {
  enum Kind: Sendable {
    /// Waits, at once; tries fast, then waits; tries only; waits if nobody else does; takes two locks; becomes the
    /// writer.
    case wait, fast, tries, max, multi, upgrade
  }

  struct Person: Sendable {
    var kind: Kind
    var parts: [(lock: String, units: Int)] = [("x", 1)]
  }

  var people: [Person]
  var faults: [Fault: Int]
  var capacity = 1
  var locks = ["x"]
  /// True where views are current, or the lagging member's; else each server has one as old as it likes.
  var isLive = true
  var servers = 2
  var attempts = 1
  /// True where fences are compared between clients.
  var comparesFences = true
  var hasCooldown = false
  var sharesLeases = false
  /// The first client keeps what it has.
  var keeps = false

  init(_ people: [Person], _ faults: [Fault: Int] = [:], _ change: (inout Self) -> Void = { _ in }) {
    self.people = people
    self.faults = [.lag: 1].merging(faults) { $1 }
    change(&self)
  }

  init(_ kinds: [Kind], _ faults: [Fault: Int] = [:], _ change: (inout Self) -> Void = { _ in }) {
    self.init(kinds.map { Person(kind: $0) }, faults, change)
  }

  private static let both: [(lock: String, units: Int)] = [("x", 1), ("y", 1)]
  private static func of(_ units: Int, _ kind: Kind = .wait) -> Person { Person(kind: kind, parts: [("x", units)]) }
  private static let up = Person(kind: .upgrade)

  static let all: [(name: String, scenario: Scenario)] = [
    ("late", Scenario([.wait, .wait], [.impatient: 1, .session: 1]) { $0.attempts = 2 }),
    ("fast", Scenario([.fast, .fast], [.impatient: 1, .session: 1]) { $0.attempts = 2 }),
    ("twice", Scenario([.wait, .wait], [.impatient: 2]) { $0.attempts = 3 }),
    ("break", Scenario([.wait, .wait], [.breaks: 1, .impatient: 1]) { $0.attempts = 2 }),
    ("broken", Scenario([.wait, .wait], [.breaks: 1, .renew: 1])),
    ("newttl", Scenario([.wait, .wait], [.breaks: 1, .clock: 1, .newTTL: 1, .unknown: 1])),
    ("settle", Scenario([.fast, .fast], [.impatient: 1, .unknown: 1]) { $0.attempts = 2 }),
    ("clock", Scenario([.wait, .wait], [.clock: 1])),
    ("cooldown", Scenario([.wait, .wait], [.clock: 1]) { $0.hasCooldown = true }),
    ("session", Scenario([.wait, .wait], [.session: 1])),
    ("crash", Scenario([.wait, .wait], [.crash: 1]) { $0.attempts = 2 }),
    ("unknown", Scenario([.wait, .wait], [.unknown: 1])),
    ("watch", Scenario([.wait, .wait], [.silent: 2]) { $0.isLive = false }),
    ("stale", Scenario([.wait, .wait]) { ($0.isLive, $0.servers) = (false, 1) }),
    ("renew", Scenario([.wait, .wait], [.clock: 2, .renew: 1, .unknown: 1, .keepBug: 1])),
    ("renewcrash", Scenario([.wait, .wait], [.clock: 1, .renew: 1, .crash: 1])),
    ("longer", Scenario([.wait, .wait], [.clock: 1, .longer: 1, .impatient: 1]) { $0.attempts = 2 }),
    ("shared", Scenario([.wait, .wait], [.clock: 2, .renew: 1]) { $0.sharesLeases = true }),
    (
      "sharedlate",
      Scenario([.wait, .wait], [.impatient: 1, .clock: 1]) { ($0.attempts, $0.sharesLeases) = (2, true) }
    ),
    ("sharedfast", Scenario([.fast, .fast], [.clock: 1, .renew: 1]) { $0.sharesLeases = true }),
    ("orphan", Scenario([.wait, .wait], [.unknown: 1]) { $0.attempts = 2 }),
    (
      "shrinkview",
      Scenario([of(2), of(1)], [.shrink: 1, .silent: 1, .lag: 0]) {
        ($0.capacity, $0.isLive, $0.comparesFences) = (3, false, false)
      }
    ),
    ("uprenew", Scenario([up, of(3)], [.clock: 1, .renew: 1]) { ($0.capacity, $0.comparesFences) = (3, false) }),
    (
      "updown",
      Scenario([up, of(1)], [.clock: 1, .renew: 1, .down: 1]) { ($0.capacity, $0.comparesFences) = (3, false) }
    ),
    ("try", Scenario([.tries, .tries]) { $0.isLive = false }),
    ("causal", Scenario([.wait, .tries]) { $0.isLive = false }),
    ("maximum", Scenario([.wait, .max, .max], [.session: 1]) { $0.comparesFences = false }),
    ("fastclock", Scenario([.fast, .wait], [.impatient: 1, .clock: 1]) { $0.attempts = 2 }),
    ("fastcrash", Scenario([.fast, .fast], [.crash: 1]) { $0.attempts = 2 }),
    ("slots", Scenario([of(2), of(2), of(1)]) { ($0.capacity, $0.comparesFences) = (3, false) }),
    (
      "fastslots",
      Scenario([of(2, .fast), of(2, .fast), of(1, .fast)]) { ($0.capacity, $0.comparesFences) = (3, false) }
    ),
    (
      "several",
      Scenario([Person(kind: .multi, parts: both), Person(kind: .multi, parts: both)]) { $0.locks = ["x", "y"] }
    ),
    ("shrink", Scenario([.wait, .wait], [.shrink: 1]) { ($0.capacity, $0.comparesFences) = (2, false) }),
    ("upgrade", Scenario([up, up], [.session: 1]) { ($0.capacity, $0.comparesFences) = (3, false) }),
    ("upfence", Scenario([up, of(1)], [.session: 1]) { ($0.capacity, $0.comparesFences) = (3, false) }),
    ("upwriter", Scenario([up, of(3)], [.session: 1]) { $0.capacity = 3 }),
    ("upclock", Scenario([up, of(3)], [.clock: 1]) { $0.capacity = 3 }),
    ("upbreak", Scenario([up, of(1)], [.breaks: 1]) { ($0.capacity, $0.comparesFences) = (3, false) }),
    (
      "upcrash",
      Scenario([up, of(1)], [.crash: 1]) { ($0.capacity, $0.comparesFences, $0.keeps) = (3, false, true) }
    ),
  ]

  static func named(_ name: String) -> Scenario {
    guard let found = all.first(where: { $0.name == name }) else { preconditionFailure(name) }
    return found.scenario
  }
}
