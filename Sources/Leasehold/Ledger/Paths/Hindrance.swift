// Why a caller does not get a lock: what answers say of it, and of the queue before it.

extension Ledger {
  /// The reason why a lock cannot be had, as what follows its name in a sentence.
  ///
  /// - Parameter isForAll: Whether all of it must be free, and not only what the caller asks for.
  func hindrance(of lock: Lock, _ shown: Contention, isForAll: Bool) -> StaticString {
    if let first = lock.queue.first, isFree(lock, for: first) {
      if !shown.queuedFor.isEmpty {
        return "is free, but the first in its queue waits for other locks too ('queued_for' names those that are busy)"
      }
      if first.isDetached {
        return "is free, but kept for the first in its queue, whose connection broke, for a moment"
      }
    }
    if lock.isPaused { return "is paused (limit=0): nothing is granted until an operator gives it another limit" }
    if lock.slots != nil, shown.available ?? 0 > 0 {
      return "has free slots, but none that you ask for: they are held ('holders' tell by whom) or kept for a waiter"
    }
    let held: StaticString =
      !isForAll && shown.kind != .readersWriter && shown.available ?? 0 > 0 && lock.queue.isEmpty
      ? "has less free than you ask for ('available' says how much)" : "is held"
    if lock.heldCount > 0 || !lock.place.isOwn && !operationLeases(on: lock).isEmpty { return held }
    if shown.coolingCount > 0, lock.holders.contains(where: { $0.past?.isKept == true }) {
      return "is kept, though its last lease is over: that asked for a time at least ('holders' say until when)"
    }
    if shown.coolingCount > 0, lock.holders.contains(where: \.whole.isStopped) {
      return "is held by nobody, but goes on only when the process of its last lease is gone ('holders' tell which)"
    }
    if shown.coolingCount > 0 {
      return "is held by nobody, but cools down after its last lease ('holders' say until when)"
    }
    if let natives = shown.nativeUnits, natives > 0 {
      return "is held by processes that did not come through this service (see 'native_held')"
    }
    return lock.queue.isEmpty ? held : "is queued for"
  }

  /// The locks that a request for several waits for, where the one of this place is free; empty for others.
  func otherLocks(inTheWayOf seat: Waiter?) -> [LockKey] {
    guard let seat, let group = seat.group, let lock = seat.lock, isFree(lock, for: seat) else { return [] }
    let others = group.seats.filter { $0 !== seat }
    let busy = others.filter { other in
      other.lock.map { $0.queue.first !== other || !isFree($0, for: other) } ?? true
    }
    return (busy.isEmpty ? others : busy).map { $0.lock?.key ?? $0.request.key }
  }

  /// The lock that is most in the way of a request, of several the first that is busy.
  func lockInTheWay(of waiter: Waiter) -> Lock? {
    let seat = waiter.seats.first { seat in
      seat.lock.map { $0.queue.first !== seat || !isFree($0, for: seat) } ?? false
    }
    return seat?.lock ?? waiter.lock
  }

  /// Returns true when a lock has what a place in its queue is for, as far as the ledger and the kernel tell.
  private func isFree(_ lock: Lock, for seat: Waiter) -> Bool {
    guard !lock.isDamaged, lock.hasRoom(for: seat.share) else { return false }
    // The value is read: an operation that changes nothing would still be the semaphore's last one.
    guard let value = lockTable.value(of: lock) else { return false }
    guard let companion = lock.place.dialect.companion else { return value >= seat.share.units }
    return lockTable.value(companion, of: lock) == 0 && (seat.share.mode == .shared || value == 0)
  }
}
