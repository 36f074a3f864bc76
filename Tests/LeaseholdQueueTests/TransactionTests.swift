import Testing

@testable import LeaseholdQueue

@Suite("A transaction of the queue")
struct TransactionTests {
  private static let session: Int64 = 77

  private func wish(_ locks: [String], units: Int = 1, limit: Int = 1) -> Wish {
    var value = EntryValue(units: 0, ttl: 5_000, mark: 9)
    (value.retry, value.cooldown) = ("hash", 1_000)
    return Wish("e", locks.map { .init($0, units: units, kind: .counting(limit: limit)) }, value: value)
  }

  private func empty(_ lock: String) -> LockQueue {
    LockQueue(lock, [], kind: nil, kindModified: 0, revision: 40)
  }

  private func entry(
    _ name: String, at created: Int64, units: Int = 1, lock: String = "a", session: Int64 = 0, mark: UInt64 = 0
  ) -> QueueEntry {
    var value = EntryValue(units: units, ttl: 5_000, mark: mark)
    value.session = session
    return QueueEntry(lock: lock, name: name, created: created, modified: created, lease: 3, value: value)
  }

  private func queue(_ entries: [QueueEntry], limit: Int = 1, revision: Int64 = 50) -> LockQueue {
    LockQueue("a", entries, kind: .counting(limit: limit), kindModified: 2, revision: revision)
  }

  @Test("puts a grant with all that belongs to it, if nothing came since it was seen")
  func fast() throws {
    var attempt = Attempt(wish(["a"]))
    attempt.decide([empty("a")])
    let transaction = try #require(attempt.transaction)
    #expect(
      transaction.guards == [
        .created(.entry(lock: "a", "e"), 0), .created(.end("e"), 0), .created(.retry("hash"), 0),
        .modified(.kind("a"), 0), .nothingCreated(lock: "a", since: 40),
      ])
    var value = wish(["a"]).value
    value.units = 1
    #expect(
      transaction.writes == [
        .put(.entry(lock: "a", "e"), .entry(value), on: .young(6_000)),
        .put(.locks("e"), .locks(["a"]), on: .young(6_000)), .put(.inTime("e"), .bytes([]), on: .marker(5_000)),
        .put(.retry("hash"), .retry(RetryValue(name: "e")), on: .young(6_000)),
        .put(.kind("a"), .kind(.counting(limit: 1)), on: .none),
      ])
    attempt.receive(.done(Written(revision: 41, lease: 8, deadline: 1_000)), session: Self.session)
    guard case .granted(let grant) = attempt.phase else { return #expect(Bool(false), "\(attempt.phase)") }
    #expect(grant.fence == 41 && grant.stamp == 41 && grant.deadline == 1_000 && !grant.isReplay)
  }

  private func blocker(at created: Int64, units: Int, to limit: Int) -> QueueEntry {
    var blocker = entry("shrink", at: created, units: units)
    blocker.value.shrinksTo = limit
    return blocker
  }

  @Test("gives more room at once, and calls a shrink off")
  func growth() throws {
    let grown = try #require(queue([entry("e", at: 5), blocker(at: 6, units: 2, to: 1)], limit: 3).resized(to: 4))
    #expect(grown.guards == [.modified(.kind("a"), 2), .created(.entry(lock: "a", "shrink"), 6)])
    #expect(
      grown.writes == [
        .put(.kind("a"), .kind(.counting(limit: 4)), on: .none), .delete(.entry(lock: "a", "shrink")),
      ])
  }

  @Test("gives less room at once only where nobody is")
  func lessRoom() throws {
    #expect(queue([entry("e", at: 5)], limit: 3).resized(to: 2) == nil)
    let free = try #require(queue([blocker(at: 6, units: 1, to: 2)], limit: 3).resized(to: 1))
    #expect(free.guards.contains(.nothingCreated(lock: "a", since: 50)))
  }

  @Test("writes the smaller capacity when the blocker fits, whoever sees that")
  func shrunk() throws {
    let held = [entry("e", at: 5), entry("f", at: 6)]
    #expect(queue(held + [blocker(at: 7, units: 2, to: 1)], limit: 3).shrunk == nil)
    let finish = try #require(queue([held[1], blocker(at: 7, units: 2, to: 1)], limit: 3).shrunk)
    #expect(finish.guards == [.modified(.kind("a"), 2), .created(.entry(lock: "a", "shrink"), 7)])
    #expect(
      finish.writes == [
        .put(.kind("a"), .kind(.counting(limit: 1)), on: .none), .delete(.entry(lock: "a", "shrink")),
      ])
    #expect(queue([blocker(at: 7, units: 2, to: 9)], limit: 3).shrunk == nil, "of rubbish nothing comes")
  }

  @Test("counts no blocker among those who wait")
  func blockers() {
    let queue = queue([entry("e", at: 5), blocker(at: 6, units: 2, to: 1), entry("f", at: 7)], limit: 2)
    #expect(queue.waiters.map(\.name) == ["f"])
  }

  @Test("of 32 locks fits what etcd takes in one")
  func sizes() throws {
    let locks = (0..<32).map { "lock\($0)" }
    var attempt = Attempt(wish(locks))
    attempt.decide(locks.map(empty))
    let put = try #require(attempt.transaction)
    #expect(put.guards.count <= 128 && put.writes.count <= 128)
    // A queue is read with its kind.
    #expect(2 * put.looks.count <= 128 + 6)
    let entries = locks.map { entry("e", at: 41, lock: $0) }
    var release = LeaseChange("e", locks, .release(EndValue(reason: "released")))
    release.look(Sight(entries.map { LockQueue($0.lock, [$0], kind: nil, kindModified: 0, revision: 50) }))
    let delete = try #require(release.transaction)
    #expect(delete.guards.count <= 128 && delete.writes.count <= 128)
  }

  @Test("that came too late three times takes a place in the queue, and gives it back where nobody wants to wait")
  func rounds() throws {
    var wish = wish(["a"])
    wish.waits = false
    var attempt = Attempt(wish)
    attempt.decide([empty("a")])
    for _ in 0..<3 { attempt.receive(.kept(Sight([empty("a")])), session: Self.session) }
    guard case .enqueueing = attempt.phase else { return #expect(Bool(false), "\(attempt.phase)") }
    attempt.receive(.done(Written(revision: 60)), session: Self.session)
    attempt.judge([queue([entry("other", at: 55), entry("e", at: 60)], revision: 60)])
    #expect(attempt.phase == .undoing(created: 60, modified: 60, then: .refused))
    let undo = try #require(attempt.transaction)
    #expect(undo.guards == [.modified(.entry(lock: "a", "e"), 60)])
    attempt.receive(.done(Written(revision: 61)), session: Self.session)
    #expect(attempt.step == .end(.refused))
  }

  @Test("is not sent where a lock is of another kind, or never gives as much")
  func otherKind() {
    for (units, found) in [(1, QueueKind.readersWriter), (3, .counting(limit: 2))] {
      var attempt = Attempt(wish(["a"], units: units, limit: 4))
      let queue = LockQueue("a", [entry("other", at: 41)], kind: found, kindModified: 2, revision: 50)
      attempt.decide([queue])
      #expect(attempt.step == .read)
      attempt.decide([queue])
      #expect(attempt.step == .end(.otherKind(found)))
    }
  }

  @Test("makes an empty lock one of another kind, if it stays empty")
  func freshKind() throws {
    var attempt = Attempt(wish(["a"], limit: 4))
    attempt.decide([LockQueue("a", [], kind: .readersWriter, kindModified: 2, revision: 50)])
    let put = try #require(attempt.transaction)
    #expect(put.guards.suffix(2) == [.modified(.kind("a"), 2), .nothingCreated(lock: "a", since: 50)])
    #expect(put.writes.contains(.put(.kind("a"), .kind(.counting(limit: 4)), on: .none)))
  }

  @Test("of a retry is chosen by a read, too, and tells one request from another")
  func retryByRead() {
    var wish = wish(["a"])
    (wish.waits, wish.retry.fingerprint) = (false, "1f")
    let full = queue([entry("first", at: 45)])
    var (mine, other) = (Attempt(wish), Attempt(wish))
    mine.decide([full])
    #expect(mine.step == .read)
    mine.decide([full], retried: RetryValue(name: "first", fingerprint: "1f", secret: "77"))
    #expect(mine.phase == .claiming([entry("first", at: 45)], upgrade: nil) && mine.retried?.secret == "77")
    other.decide([full], retried: RetryValue(name: "first", fingerprint: "2f"))
    #expect(other.step == .end(.mismatch))
  }

  @Test("of a retry that takes over a place writes its turn with the words that it came with")
  func adopted() throws {
    var attempt = Attempt(wish(["a"]))
    attempt.decide([empty("a")])
    var first = entry("first", at: 45, session: 5)
    first.value.ref = "00112233aa"
    let full = queue([entry("other", at: 41), first])
    attempt.receive(.kept(Sight([full], retried: RetryValue(name: "first"))), session: Self.session)
    attempt.receive(.done(Written(revision: 51)), session: Self.session)
    first.modified = 51
    attempt.judge([queue([first], revision: 52)])
    attempt.note(at: 1_000, waited: 20)
    let bind = try #require(attempt.transaction)
    var value = first.value
    (value.session, value.mark, value.at, value.waited) = (0, 9, 1_000, 20)
    #expect(bind.writes.first == .put(.entry(lock: "a", "first"), .entry(value), on: .young(5_000)))
  }

  @Test("is not waited for any more once another server has taken the place over")
  func superseded() {
    var attempt = Attempt(wish(["a"]))
    attempt.decide([queue([entry("other", at: 41)])])
    attempt.receive(.done(Written(revision: 60)), session: Self.session)
    var taken = entry("e", at: 60, session: 5)
    taken.modified = 61
    attempt.judge([queue([entry("other", at: 41), taken], revision: 61)])
    #expect(attempt.step == .end(.superseded))
  }

  @Test("of a retry leaves what has become fewer units, and moves both entries of a writer")
  func replayedWriter() throws {
    var attempt = Attempt(wish(["a"], units: 3, limit: 3))
    attempt.decide([empty("a")])
    let first = entry("first", at: 45)
    let second = QueueEntry(
      lock: "a", name: "first", isUpgrade: true, created: 46, modified: 46, lease: 3,
      value: EntryValue(units: 2, ttl: 5_000, mark: 1))
    let sight = Sight([queue([first, second], limit: 3)], retried: RetryValue(name: "first"))
    attempt.receive(.kept(sight), session: Self.session)
    let claim = try #require(attempt.transaction)
    var value = first.value
    value.mark = 9
    #expect(claim.writes.first == .put(.entry(lock: "a", "first"), .entry(value), on: .young(5_000)))
    #expect(claim.writes.contains(.move(.upgrade(lock: "a", "first"), on: .young(5_000))))
    #expect(claim.guards.contains(.modified(.upgrade(lock: "a", "first"), 46)))
  }

  @Test("of a retry does not bring back what cools down")
  func coolingRetry() throws {
    var attempt = Attempt(wish(["a"]))
    attempt.decide([empty("a")])
    var first = entry("first", at: 45)
    first.value.cooldown = 1_000
    let sight = Sight([queue([first])], retried: RetryValue(name: "first"))
    attempt.receive(.kept(sight), session: Self.session)
    let claim = try #require(attempt.transaction)
    #expect(claim.guards.contains(.exists(.inTime("first"))))
    attempt.receive(.kept(sight), session: Self.session)
    #expect(attempt.step == .end(.ended))
  }

  @Test("of an upgrade is bound at once where nobody else has the lock, and refused where nobody waits")
  func lonelyUpgrade() throws {
    var alone = Upgrade("e", of: "a", mark: 9)
    alone.decide([queue([entry("e", at: 45)], limit: 3)])
    alone.receive(.done(Written(revision: 46)), session: Self.session)
    guard case .binding(_, let second) = alone.phase else { return #expect(Bool(false), "\(alone.phase)") }
    #expect(second.created == 46 && second.value.units == 2)
    var beside = Upgrade("e", of: "a", mark: 9, waits: false)
    beside.decide([queue([entry("e", at: 45), entry("other", at: 44)], limit: 3)])
    #expect(beside.step == .end(.refused))
  }

  @Test("of a turn whose outcome is unknown is taken back")
  func unknownTurn() {
    var attempt = Attempt(wish(["a"]))
    attempt.decide([queue([entry("other", at: 41)])])
    attempt.receive(.done(Written(revision: 60)), session: Self.session)
    attempt.judge([queue([entry("e", at: 60, session: Self.session)], revision: 61)])
    attempt.receive(.unknown, session: Self.session)
    #expect(attempt.phase == .settling)
  }

  @Test("of a retry takes the entry that its Idempotency-Key names, and its ttl")
  func retry() throws {
    var attempt = Attempt(wish(["a"]))
    attempt.decide([empty("a")])
    let sight = Sight([queue([entry("first", at: 45)])], retried: RetryValue(name: "first"))
    attempt.receive(.kept(sight), session: Self.session)
    let claim = try #require(attempt.transaction)
    #expect(claim.guards == [.modified(.entry(lock: "a", "first"), 45)])
    attempt.receive(.done(Written(revision: 51, lease: 8, deadline: 1_000)), session: Self.session)
    guard case .granted(let grant) = attempt.phase else { return #expect(Bool(false), "\(attempt.phase)") }
    #expect(grant.isReplay && grant.fence == 45 && grant.stamp == 51 && grant.ttl == 5_000)
    attempt.notDelivered()
    #expect(attempt.step == .end(.withdrawn))
  }

  @Test("of a retry whose lease has ended is not sent")
  func endedRetry() {
    var attempt = Attempt(wish(["a"]))
    attempt.decide([empty("a")])
    attempt.receive(.kept(Sight([queue([])], retried: RetryValue(name: "first"))), session: Self.session)
    #expect(attempt.step == .end(.ended))
  }

  @Test("takes a grant back that comes after its deadline")
  func late() {
    var attempt = Attempt(wish(["a"]))
    attempt.decide([empty("a")])
    attempt.receive(.done(Written(revision: 41, lease: 8, deadline: 1_000)), session: Self.session)
    var inTime = attempt
    let answers = (inTime.answer(now: 999), attempt.answer(now: 1_000))
    #expect(answers == (true, false))
    #expect(attempt.phase == .undoing(created: 41, modified: 41, then: .withdrawn))
  }

  @Test("whose outcome is unknown is undone where it is this attempt's own, and no operator has ended it")
  func settle() {
    var attempt = Attempt(wish(["a"]))
    attempt.decide([empty("a")])
    attempt.receive(.unknown, session: Self.session)
    #expect(attempt.phase == .settling)
    let mine = entry("e", at: 45, mark: 9)
    var ended = mine
    ended.value.end = EndValue(reason: "broken")
    let settled = [entry("e", at: 45, mark: 8), ended, mine].map { entry in
      var attempt = attempt
      attempt.receive(.kept(Sight([queue([entry])])), session: Self.session)
      return attempt.phase
    }
    #expect(
      settled == [
        .over(.unknown), .over(.ended), .undoing(created: 45, modified: 45, then: .unknown),
      ])
  }

  @Test("of a renewal says in the order of writes what is there, even where nothing was seen")
  func blindRenewal() throws {
    var renewal = LeaseChange("e", ["a"], .renew(fence: 45))
    renewal.look(Sight([queue([])]))
    let question = try #require(renewal.transaction)
    #expect(!question.writes.isEmpty)
    renewal.receive(.kept(Sight([queue([entry("e", at: 45)])])))
    let move = try #require(renewal.transaction)
    #expect(
      move.guards == [.created(.entry(lock: "a", "e"), 45), .modified(.entry(lock: "a", "e"), 45)])
    renewal.receive(.unknown)
    #expect(renewal.transaction == move)
    renewal.receive(.done(Written(revision: 52, lease: 9, deadline: 2_000)))
    guard case .done(let grant) = renewal.phase else { return #expect(Bool(false), "\(renewal.phase)") }
    #expect(grant.lease == 9 && grant.ttl == 5_000 && grant.deadline == 2_000 && grant.stamp == 52)
  }

  @Test("of a renewal by another fence is not sent again")
  func foreignRenewal() {
    var renewal = LeaseChange("e", ["a"], .renew(fence: 44))
    renewal.look(Sight([queue([entry("e", at: 45)])]))
    renewal.receive(.kept(Sight([queue([entry("e", at: 45)])])))
    #expect(renewal.phase == .ended(nil))
  }

  @Test("of an operator keeps the place for grace and cooldown")
  func breakLater() {
    let end = EndValue(reason: "broken", by: "root")
    let later = Break.later([entry("e", at: 45)], upgrade: nil, end, grace: 3_000)
    #expect(later.guards == [.modified(.entry(lock: "a", "e"), 45)])
    #expect(later.writes.contains(.put(.inTime("e"), .bytes([]), on: .marker(3_000))))
    #expect(later.writes.contains(.put(.end("e"), .end(end), on: .tombstone)))
    let now = Break.later([entry("e", at: 45)], upgrade: nil, end, grace: 0)
    #expect(now.writes.contains(.delete(.inTime("e"))))
  }

  @Test("of an upgrade or a downgrade is not sent for what an operator has ended")
  func endedWriter() {
    var ended = entry("e", at: 45)
    ended.value.end = EndValue(reason: "broken")
    var value = EntryValue(units: 2, ttl: 5_000, mark: 9)
    value.session = Self.session
    let second = QueueEntry(
      lock: "a", name: "e", isUpgrade: true, created: 46, modified: 46, lease: Self.session, value: value)
    var upgrade = Upgrade("e", of: "a", mark: 9)
    upgrade.decide([queue([entry("e", at: 45), entry("other", at: 44)], limit: 3, revision: 45)])
    upgrade.receive(.done(Written(revision: 46)), session: Self.session)
    var inForce = upgrade
    inForce.judge([queue([entry("e", at: 45), second], limit: 3)])
    #expect(inForce.transaction != nil)
    upgrade.judge([queue([ended, second], limit: 3)])
    #expect(upgrade.phase == .over(.ended))
    var downgrade = LeaseChange("e", ["a"], .lower)
    downgrade.look(Sight([queue([ended, second], limit: 3)]))
    #expect(downgrade.phase == .ended(ended.value.end))
  }

  @Test("of an upgrade that is repeated binds again what an earlier attempt has bound, and gives nothing back")
  func repeatedUpgrade() throws {
    let value = EntryValue(units: 2, ttl: 5_000, mark: 9)
    var second = QueueEntry(
      lock: "a", name: "e", isUpgrade: true, created: 46, modified: 47, lease: 3, value: value)
    var upgrade = Upgrade("e", of: "a", mark: 10)
    upgrade.decide([queue([entry("e", at: 45), second], limit: 3)])
    let bind = try #require(upgrade.transaction)
    #expect(bind.guards == [.modified(.upgrade(lock: "a", "e"), 47), .modified(.entry(lock: "a", "e"), 45)])
    upgrade.receive(.done(Written(revision: 51, lease: 8, deadline: 1_000)), session: Self.session)
    guard case .granted(let grant) = upgrade.phase else { return #expect(Bool(false), "\(upgrade.phase)") }
    #expect(grant.fence == 46)
    upgrade.giveUp()
    #expect(upgrade.phase == .over(.withdrawn))
    second.value.session = Self.session
    var waiting = Upgrade("e", of: "a", mark: 10)
    waiting.decide([queue([entry("e", at: 45), second], limit: 3)])
    #expect(waiting.phase == .over(.lost))
  }

  @Test("of the upkeep leaves what is in hands")
  func reconcile() {
    let listed = [entry("mine", at: 41), entry("lost", at: 42), entry("foreign", at: 43)].map { entry in
      var entry = entry
      entry.lease = entry.name == "foreign" ? 5 : Self.session
      return entry
    }
    let transactions = Upkeep.reconcile(listed, session: Self.session, known: ["mine"])
    #expect(transactions.map(\.guards) == [[.modified(.entry(lock: "a", "lost"), 42)]])
    #expect(Upkeep.forget("a", kindModified: 2).guards == [.isEmpty(lock: "a"), .modified(.kind("a"), 2)])
  }
}
