// What the ledger tells its followers.

extension Ledger {
  /// About now, for calls that are given no time: the last event, or the last housekeeping.
  var latest: Int64 { max(observers.ring.latest, journal.lastSeen) }

  /// Takes the notices, to be delivered outside the mutex.
  public func takeNotices() -> [Notice] { observers.takeNotices() }

  /// Takes what was found of drift, for the log.
  public func takeDriftReports() -> [LedgerEvent] { observers.takeDriftReports() }

  /// Takes what is to be logged of ends; the numbers once a second, which makes room for names again.
  public func takeEnds(isNewSecond: Bool) -> EndLog { observers.takeEnds(isNewSecond: isNewSecond) }

  /// The events from a number on, at most `limit`.
  public func events(from number: UInt64, limit: Int) -> EventBatch {
    observers.ring.events(from: number, limit: limit)
  }

  /// Watches a lock as long as its tag is one of these.
  ///
  /// - Throws: `no-such-lock`, `too-many-waiters`, and why a native name leads nowhere.
  public func watch(
    _ lock: LockName, listed: Int, unless tags: [String], watcher: any LockWatcher
  ) throws(LeaseholdError) -> WatchOutcome {
    let snapshot = try self.lock(lock.key, lock.native, listed: listed)
    guard tags == ["*"] || tags.contains(snapshot.tag.text) else { return .changed(snapshot) }
    guard observers.watchCount < limits.waiters else { throw .tooManyWaiters(limits.waiters) }
    let known =
      lock.native == nil
      ? lockTable[lock.key] : snapshot.binding.flatMap { lockTable.natives[$0.id]?.locks[$0.semaphore] }
    return .watching(observers.watch(known, watcher))
  }

  /// Ends a watch.
  public func unwatch(_ id: WatchID) { observers.unwatch(id) }
}
