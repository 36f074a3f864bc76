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
