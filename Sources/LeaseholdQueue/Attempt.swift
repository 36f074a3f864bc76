/// One attempt of one request to acquire, on one server: from the first look to the answer.
///
/// The caller asks for the ``step``, does it, and tells what came. All instants are the caller's.
package struct Attempt: Hashable, QueueCall {
  package internal(set) var wish: Wish
  /// The name of the entries: the wish's own, or the one that an earlier attempt used.
  package internal(set) var name: String
  /// The entries that an earlier attempt with the same Idempotency-Key has got.
  package internal(set) var retried: RetryValue?
  package internal(set) var phase: Phase
  let rules: Rules
  /// The number of times that there was room and the put came too late.
  var rounds = 0

  /// The point that has been reached.
  package enum Phase: Hashable, Sendable {
    /// A view chooses what to do; `isFresh`: one that was read after the request came.
    case looking(isFresh: Bool)
    /// Puts entries as granted at once.
    case putting(seen: [Seen])
    /// Puts entries that wait; `alone`: only if nothing came since the waiters were counted.
    case enqueueing(seen: [Seen], alone: Bool)
    /// Takes over what an earlier attempt put.
    case claiming([QueueEntry], upgrade: QueueEntry?)
    case waiting(created: Int64, session: Int64, modified: Int64)
    case binding(created: Int64, session: Int64)
    case granted(Grant)
    /// Takes back what this attempt wrote last, then ends so.
    case undoing(created: Int64, modified: Int64, then: Ending)
    /// Finds out what became of a put.
    case settling
    case over(Ending)
  }

  /// A view of one lock, as far as guards need it.
  package struct Seen: Hashable, Sendable {
    package var revision: Int64
    package var kindModified: Int64
    var kind: QueueKind?

    init(_ queue: LockQueue) {
      (revision, kindModified, kind) = (queue.revision, queue.kindModified, queue.kind)
    }
  }

  /// A lease that is held until its deadline.
  package struct Grant: Hashable, Sendable {
    /// The entries as they were written last, in the order of the locks.
    package var entries: [QueueEntry]
    /// The second entry of a reader that became the writer.
    package var upgrade: QueueEntry?
    /// An instant of the caller's clock.
    package var deadline: Int64
    package var isReplay = false

    /// A lease of at least one entry.
    package init(_ entries: [QueueEntry], upgrade: QueueEntry? = nil, deadline: Int64) {
      precondition(!entries.isEmpty)
      (self.entries, self.upgrade, self.deadline) = (entries, upgrade, deadline)
    }

    /// The create revision, the same in all queues.
    package var fence: Int64 { upgrade?.created ?? entries[0].created }
    /// The revision of the last write: what may be taken back.
    package var stamp: Int64 { entries[0].modified }
    package var lease: Int64 { entries[0].lease }
    /// Milliseconds that are granted.
    package var ttl: Int64 { entries[0].value.ttl }
  }

  /// The end of an attempt.
  package enum Ending: Hashable, Sendable {
    case granted
    /// The lock has no room, and the request does not wait.
    case refused
    case queueFull
    /// The lock has another kind or limit.
    case otherKind(QueueKind)
    /// The place in the queue, or the session, is gone: ask again.
    case lost
    /// The lease has ended: released, or ended by an operator.
    case ended
    /// A later attempt with the same Idempotency-Key has taken the place over.
    case superseded
    /// The Idempotency-Key is of another request.
    case mismatch
    /// Others wait: an upgrade and a writer would wait for each other.
    case deadlock
    /// Nobody takes the answer any more, or it comes too late.
    case withdrawn
    /// Nobody knows: repeat with the same Idempotency-Key.
    case unknown
  }

  /// The caller's next act.
  package enum Step: Hashable, Sendable {
    /// Calls ``decide(_:retried:)`` with what it has of the locks, however old.
    case look
    /// Begins to read the locks now, and calls ``decide(_:retried:)``.
    case read
    /// Sends it and calls ``receive(_:session:)``.
    case send(QueueTransaction)
    /// Calls ``judge(_:)`` on all news, at least each second.
    case wait
    /// Calls ``answer(now:)`` and, if that says so, delivers; else, or where that fails, ``giveUp(_:)`` follows.
    case answer(Grant)
    case end(Ending)
  }

  /// Begins with a look.
  package init(_ wish: Wish) { self.init(wish, .looking(isFresh: false), .all) }

  init(_ wish: Wish, _ phase: Phase, _ rules: Rules) {
    (self.wish, self.name, self.phase, self.rules) = (wish, wish.name, phase, rules)
  }

  package var locks: [String] { wish.locks }

  package var step: Step {
    switch phase {
    case .looking(let isFresh): isFresh ? .read : .look
    case .waiting: .wait
    case .granted(let grant): .answer(grant)
    case .over(let ending): .end(ending)
    case .putting, .enqueueing, .claiming, .binding, .undoing, .settling: transaction.map { .send($0) } ?? .wait
    }
  }

  // MARK: Decisions by what is seen

  /// Chooses a transaction by a view of any age, in the order of the wish's parts, or refuses by a fresh one.
  ///
  /// - Parameter retried: What was read of the Idempotency-Key, together with the queues.
  package mutating func decide(_ queues: [LockQueue], retried: RetryValue? = nil) {
    guard case .looking(let isFresh) = phase else { return }
    precondition(queues.map(\.lock) == wish.locks)
    if retried != nil { return take(Sight(queues, retried: retried), session: nil) }
    let parts = Array(zip(wish.parts, queues))
    for (part, queue) in parts {
      if let kind = queue.kind, !part.fits(kind), !queue.entries.isEmpty {
        phase = isFresh || !rules.has(.refuseFresh) ? .over(.otherKind(kind)) : .looking(isFresh: true)
        return
      }
    }
    let seen = queues.map(Seen.init)
    if parts.allSatisfy({ $1.hasRoom(for: $0.units, as: $0.kind) }), rounds < 3 {
      phase = .putting(seen: seen)
    } else if wish.waits || rounds >= 3 {
      enqueue(queues, isFresh: isFresh)
    } else {
      phase = isFresh || !rules.has(.refuseFresh) ? .over(.refused) : .looking(isFresh: true)
    }
  }

  private mutating func enqueue(_ queues: [LockQueue], isFresh: Bool) {
    // Late is accepted; by the view alone it would be wrong.
    let waitersMax = min(wish.maxWaiters ?? .max, wish.queueMax)
    if queues.contains(where: { $0.waiters.count >= waitersMax || !$0.isWhole }) {
      phase = isFresh || !rules.has(.refuseFresh) ? .over(.queueFull) : .looking(isFresh: true)
      return
    }
    phase = .enqueueing(seen: queues.map(Seen.init), alone: wish.maxWaiters != nil)
  }

  /// Looks for the turn of an entry that waits, by a view of any age, in the order of the wish's parts.
  ///
  /// - Returns: True where the phase has changed.
  @discardableResult
  package mutating func judge(_ queues: [LockQueue]) -> Bool {
    guard case .waiting(let created, let session, let modified) = phase else { return false }
    var isNext = true
    for (part, queue) in zip(wish.parts, queues) {
      if rules.has(.freshView) {
        guard queue.revision >= created else { return false }
        guard let entry = queue.entry(name) else {
          if rules.has(.forget) { phase = .over(.lost) }
          return rules.has(.forget)
        }
        if rules.has(.rebindLease), queue.revision >= modified, entry.modified > modified {
          phase = .over(.superseded)
          return true
        }
        isNext = isNext && queue.holds(entry)
      } else {
        isNext = isNext && queue.entry(name).map(queue.holds) ?? queue.hasRoom(for: part.units, as: part.kind)
      }
    }
    if !isNext, !wish.waits {
      phase = .undoing(created: created, modified: modified, then: .refused)
    } else if isNext {
      phase =
        rules.has(.rebind)
        ? .binding(created: created, session: session)
        : .granted(grant(Written(revision: modified), wish.value, created: created))
    } else {
      return false
    }
    return true
  }

  /// Says when it is granted, by the wall clock, and how long it waited: milliseconds, before its turn is sent.
  package mutating func note(at wall: Int64, waited: Int64) {
    (wish.value.at, wish.value.waited) = (wall, waited)
  }

  // MARK: The caller's own news

  /// Says whether a grant may be answered now; one that is late is taken back.
  package mutating func answer(now: Int64) -> Bool {
    guard case .granted(let grant) = phase else { return false }
    guard now >= grant.deadline, rules.has(.answerClock) else { return true }
    notDelivered()
    return false
  }

  /// Takes a grant back that nobody heard of; a replayed one another server may have answered.
  package mutating func notDelivered() {
    guard case .granted(let grant) = phase else { return }
    phase =
      grant.isReplay && rules.has(.replayKept)
      ? .over(.withdrawn) : .undoing(created: grant.fence, modified: grant.stamp, then: .withdrawn)
  }

  /// Gives up waiting, or what nobody heard of: the client has hung up, or its wait is over.
  package mutating func giveUp(_ ending: Ending = .withdrawn) {
    guard case .waiting(let created, _, let modified) = phase else { return notDelivered() }
    phase = .undoing(created: created, modified: modified, then: ending)
  }
}
