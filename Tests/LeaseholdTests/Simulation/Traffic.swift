import LeaseholdTestKit
import SysVTypes

@testable import Leasehold

/// Random traffic of one seed: clients, native processes, waiting threads, time, removed sets and crashes.
final class Traffic {
  struct Waiting {
    let waiter: WaiterID
    let request: AcquireRequest
    /// The locks in whose queues it stands in turn; none when it waits to convert a lease.
    let keys: [LockKey]
  }

  /// A run that found something.
  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  static let keys = ["a", "b", "c", String(repeating: "long", count: 40)].map { try? LockKey(utf8: $0.utf8) }
    .compactMap(\.self)
  static let limits: [Int?] = [nil, 3, 2, nil]

  let seed: UInt64
  var random: SeededRandom
  let daemon: SimulatedDaemon
  let history = History()
  let inbox = TrafficInbox()
  var waiting: [Int: Waiting] = [:]
  /// Clients whose connection broke while they waited with an Idempotency-Key, as long as their place is kept.
  var detached: [Int: Waiting] = [:]
  /// Clients that waited on a connection that closed: nothing can be delivered to them.
  var gone: Set<Int> = []
  /// The connection each told lease is bound to.
  var connections: [LeaseID: ConnectionID] = [:]
  /// Requests that may be repeated.
  var keyed: [AcquireRequest] = []
  var keyedSeveral: [[AcquireRequest]] = []
  var followed: [Int: LeaseID] = [:]
  var lastClient = 0
  var lastConnection: ConnectionID = 4
  /// What the daemons counted that died, and the last one.
  private(set) var counted: [String: UInt64] = [:]
  /// The units that were out at the last check.
  var heldBefore: [LockKey: Int] = [:]
  private var log: [String] = []

  var now: MonotonicInstant { daemon.clock.now }

  init(seed: UInt64) {
    self.seed = seed
    random = SeededRandom(seed: seed)
    var limits = Limits()
    limits.tombstones = random.pick([1, 4, 20])
    limits.tombstoneAge = .seconds(random.pick([5, 60]))
    limits.waitersPerLock = 6
    limits.waiters = 12
    limits.idleLocks = .seconds(3)
    limits.pumps = random.pick([1, 2, 8])
    daemon = SimulatedDaemon(limits: limits, records: random.pick([8, 16, 64]), seed: seed)
    daemon.processes.onKill = { [history] pid in history.letGo { $0.process == pid } }
    if random.once(in: 2) { daemon.processes.unkillable = [13] }
    daemon.kernel.setLimit = random.pick([1, 2, 8])
    var chance = SeededRandom(seed: seed ^ 0xfa11)
    if random.once(in: 3) { refuseSometimes() }
    if random.once(in: 2) {
      let often = random.pick([4, 20])
      daemon.crash.interference = { [unowned self] in
        if chance.once(in: often) { interfere(&chance) }
      }
    }
  }

  /// The kernel refuses to take units, or to give them back, now and then, for want of memory say.
  private func refuseSometimes() {
    var chance = SeededRandom(seed: seed ^ 0xbad)
    daemon.kernel.failure = { _, operations in
      let isPair = operations.count == 2 && operations[0].delta != 0
      return isPair && chance.once(in: 12) ? .failed(KernelFailure(.noMemory)) : nil
    }
  }

  /// What the kernel refused to take back, the clock's thread gives it a moment later.
  private func payDebts() {
    while !daemon.ledger.lockTable.debts.open.isEmpty, !daemon.crash.hasCrashed {
      daemon.ledger.payDebts(at: daemon.moment)
      hear()
    }
  }

  /// Does `count` operations, each of which may be cut short by a crash, and checks everything after each.
  func run(_ count: Int) throws(Failure) {
    for _ in 0..<count {
      if random.once(in: 12) { daemon.crash.crash(afterStep: Int.random(in: 0..<16, using: &random)) }
      step()
      hear()
      payDebts()
      if daemon.crash.hasCrashed { recover() }
      payDebts()
      try check()
    }
    countUp()
    try end()
  }

  /// In the end every wait and every lease is over by itself, except what is bound to a connection that lives.
  private func end() throws(Failure) {
    daemon.crash.disarm()
    daemon.crash.interference = nil
    for connection in 1...lastConnection { close(connection) }
    for pid in daemon.processes.pids { daemon.endProcess(pid) }
    history.letGo { $0.process != nil }
    hear()
    for _ in 0..<3 {
      daemon.advance(by: .seconds(3600))
      hear()
    }
    let status = daemon.ledger.status()
    note("in the end \(status.leases) leases live, \(status.waiters) wait")
    if status.leases > 0 || status.waiters > 0 { throw failure(["something never ends"]) }
    try check()
  }

  private func countUp() {
    let counters = daemon.ledger.counters
    let values: [(String, UInt64)] = [
      ("granted", counters.granted), ("replayed", counters.replayed), ("busy", counters.busy),
      ("timed out", counters.timedOut), ("canceled", counters.canceled), ("refused", counters.refused),
      ("renewed", counters.renewed), ("sets removed", counters.setsRemoved), ("converted", counters.converted),
      ("deadlocks", counters.deadlocks), ("TERM", counters.stops[0]), ("KILL", counters.stops[1]),
      ("kernel waits", counters.kernelWaits),
      ("given back in recovery", UInt64(daemon.ledger.recovery.unitsGivenBack)),
      ("leases found by recovery", UInt64(daemon.ledger.recovery.leases)),
    ]
    for (name, value) in values { counted[name, default: 0] += value }
    for reason in EndReason.allCases where reason != .rewritten {
      counted["ended: " + reason.name, default: 0] += counters.ended[Int(reason.rawValue)]
    }
  }

  func note(_ text: @autoclosure () -> String) { if log.count < 100_000 { log.append(text()) } }

  /// Another time namespace may begin anywhere.
  private func moveClock() {
    let span = TimeSpan(nanoseconds: -Int64.random(in: 1..<now.nanoseconds, using: &random))
    let short = TimeSpan.milliseconds(-Int64.random(in: 1..<90_000, using: &random))
    let shift = random.once(in: 2) ? span : max(span, short)
    note("the clock moves by \(shift.milliseconds) ms")
    daemon.clock.setMonotonic(now + shift)
    history.clockMoved(by: shift)
  }

  /// Starts daemons until one recovers, and forgets what died with the old one.
  func recover() {
    countUp()
    if random.once(in: 10) { moveClock() }
    hideProcesses()
    repeat {
      note("crash at step \(daemon.crash.steps)")
      let again = random.once(in: 3) ? Int.random(in: 0..<24, using: &random) : nil
      if random.once(in: 4) { daemon.clock.advance(by: .milliseconds(Int64.random(in: 0..<5000, using: &random))) }
      daemon.restart(crashAfterStep: again)
      // A recovery that did not get to its end may have begun a grace.
      history.crashed(daemon)
    } while daemon.crash.hasCrashed
    daemon.crash.disarm()
    waiting = [:]
    detached = [:]
    gone = []
    followed = [:]
    connections = [:]
    _ = inbox.takeAll()
  }

  private func check() throws(Failure) {
    let wrong = history.check(daemon) + daemon.flaws() + checkLimits()
    if !wrong.isEmpty { throw failure(wrong) }
  }

  private func failure(_ wrong: [String]) -> Failure {
    let story = log.suffix(80).joined(separator: "\n  ")
    return Failure(description: "seed \(seed), line \(log.count): \(wrong.joined(separator: "; "))\n  \(story)")
  }

  /// What clients heard takes effect on them, in order; some of them are not there any more.
  private func hear() {
    forgetPlaces()
    daemon.tell()
    var events = inbox.takeAll()
    while !events.isEmpty {
      for event in events { hear(event) }
      daemon.tell()
      events = inbox.takeAll()
    }
  }

  /// Places that are kept no longer are nobody's; which these are the ledger says, and what they allow is checked.
  private func forgetPlaces() {
    for (number, waiter) in detached where daemon.ledger.queues[waiter.waiter] == nil {
      detached[number] = nil
      for key in waiter.keys { history.left(number, key) }
    }
  }

  private func hear(_ event: TrafficInbox.Event) {
    switch event {
    case .granted(let number, let lease):
      note("  granted \(number) \(lease.ref) \(lease.units) of \(lease.key)")
      if lease.isConverted {
        history.converted(lease)
        waiting[number] = nil
        return
      }
      if gone.remove(number) != nil { return daemon.ledger.withdraw(.grant(lease.grant), at: daemon.moment) }
      for place in lease.places { history.served(number, for: place.key) }
      guard let waiter = waiting.removeValue(forKey: number) else { return }
      if random.once(in: 6) {
        note("  undeliver \(lease.ref)")
        daemon.ledger.withdraw(.grant(lease.grant), at: daemon.moment)
      } else {
        told(lease, waiter.request)
      }
    case .refused(let number, let error):
      note("  refused \(number) \(error.code)")
      if let waiter = waiting.removeValue(forKey: number) { for key in waiter.keys { history.left(number, key) } }
    case .ended(let number, let reason):
      note("  ended \(number) \(reason)")
      if let id = followed.removeValue(forKey: number) { history.letGo(id) }
    }
  }

  /// A client has a lease in its hands.
  func told(_ lease: LeaseSnapshot, _ request: AcquireRequest) {
    history.granted(lease)
    if lease.bindsConnection { connections[lease.id] = request.caller.connection }
    guard random.once(in: 4) else { return }
    lastClient += 1
    if daemon.ledger.follow(lease.id, client: TrafficClient(lastClient, inbox)) { followed[lastClient] = lease.id }
  }
}
