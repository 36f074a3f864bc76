/// A rule of the recipe; each is needed, and a test shows what breaks without it.
package enum Rule: String, CaseIterable, Sendable {
  /// An entry is put only if it is not there: a late first attempt never puts a granted one back.
  case create0
  /// An entry is put only if its lease has not ended.
  case tombstone
  /// A waiter judges only by a view that is as new as its entry and contains it.
  case freshView
  /// A waiter is answered only after its entry hangs on a lease of its own.
  case rebind
  /// An entry is re-bound only if it is the one that was judged.
  case rebindCreate
  /// An entry is re-bound only from the session that this attempt put it on.
  case rebindLease
  /// A retry takes over only what is as it was seen.
  case claimGuard
  /// A retry takes a waiting entry over from another server.
  case adopt
  /// An attempt takes back only what it wrote last itself.
  case undoGuard
  /// A replay writes the entry, so that the first server cannot take it back.
  case replayClaims
  /// A replay that cannot be delivered is kept.
  case replayKept
  /// A grant is answered only before its deadline.
  case answerClock
  /// A renewal writes only what is as it was seen, and is the holder's.
  case renewGuard
  /// A lease that an operator has ended is not renewed.
  case renewState
  /// A bound upgrade is renewed with its entry.
  case renewUp
  /// A replay keeps the ttl that the entry has.
  case noShorter
  /// A lease that an operator has ended is released only while its grace runs.
  case releaseState
  /// A lease with a cooldown is released only in time, by a guard.
  case coolGuard
  /// An entry that counts as granted at once is put only if nothing came into the queue since it was seen.
  case fastGuard
  /// A waiter is put only if nothing came into the queue since its waiters were counted.
  case waitersGuard
  /// A refusal needs a view that was read after the request came.
  case refuseFresh
  /// A put of unknown outcome is undone only if the entry bears this attempt's mark.
  case settleMark
  /// A waiter whose entry or session is gone is told so.
  case forget
  /// An entry that hangs on a server's session and is in nobody's hands is deleted.
  case reconcile
  /// It is deleted only if it is as it was listed.
  case reconcileGuard
  /// A lock shrinks by an entry that queues.
  case blocker
  /// An upgrade queues a second entry; units never grow in place.
  case upEntry
  /// An upgrade is refused while a request waits.
  case upAlone
  /// A waiting upgrade hangs on its server's session.
  case upSession
  /// The fence after an upgrade is the create revision of its entry.
  case upFence
}

/// The rules in force: all of them, but in a test that takes one away.
package struct Rules: Hashable, Sendable {
  private var dropped: Rule?

  /// Every rule.
  package static let all = Rules()

  /// All but one, to show that it is needed.
  func without(_ rule: Rule) -> Rules { Rules(dropped: rule) }

  func has(_ rule: Rule) -> Bool { dropped != rule }
}
