/// A call that takes a place in a queue, and what it needs next.
package protocol QueueCall: Sendable {
  /// The name of the entries.
  var name: String { get }
  var locks: [String] { get }
  /// The caller's next act.
  var step: Attempt.Step { get }
  /// Chooses by a view, in the order of the locks.
  mutating func decide(_ queues: [LockQueue], retried: RetryValue?)
  /// Looks for its turn by a view of any age; true where something has changed.
  mutating func judge(_ queues: [LockQueue]) -> Bool
  /// Says when its turn is written, by the wall clock, and how long it waited: milliseconds.
  mutating func note(at wall: Int64, waited: Int64)
  /// Takes in what came of the transaction that was sent.
  mutating func receive(_ outcome: QueueOutcome, session: Int64)
  /// Says whether a grant may be answered now; one that is late is not.
  mutating func answer(now: Int64) -> Bool
  /// Gives up waiting, or what nobody heard of.
  mutating func giveUp(_ ending: Attempt.Ending)
}

/// A change of a lease that is held: sent again until something has come of it.
package protocol QueueChange: Sendable {
  /// The transaction to send; `nil` once it is over.
  var transaction: QueueTransaction? { get }
  /// Takes in what came of it.
  mutating func receive(_ outcome: QueueOutcome)
}

extension Attempt: QueueCall {
  package var locks: [String] { wish.locks }
}

extension Upgrade: QueueCall {
  package var locks: [String] { [lock] }

  package var step: Attempt.Step {
    switch phase {
    case .looking: .read
    case .queueing, .binding, .undoing: transaction.map { .send($0) } ?? .wait
    case .waiting: .wait
    case .granted(let grant): .answer(grant)
    case .over(let ending): .end(ending)
    }
  }

  package mutating func decide(_ queues: [LockQueue], retried: RetryValue?) { look(queues[0]) }
  package mutating func judge(_ queues: [LockQueue]) -> Bool { judge(queues[0]) }
  package mutating func note(at wall: Int64, waited: Int64) {}
  package mutating func receive(_ outcome: QueueOutcome, session: Int64) { receive(outcome) }
}

extension Renewal: QueueChange {}
extension Release: QueueChange {}
extension Downgrade: QueueChange {}
