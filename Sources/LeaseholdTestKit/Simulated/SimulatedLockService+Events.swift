public import Leasehold

extension SimulatedLockService {
  /// The events from a number on.
  public func events(from number: UInt64, limit: Int) -> EventBatch {
    daemon.ledger.events(from: number, limit: limit)
  }

  /// Watches a lock.
  public func watch(
    _ lock: LockName, listed: Int, unless tags: [String], watcher: any LockWatcher
  ) throws(LeaseholdError) -> WatchOutcome {
    try daemon.ledger.watch(lock, listed: listed, unless: tags, watcher: watcher)
  }

  /// The watcher is gone.
  public func unwatch(_ watch: WatchID) { daemon.ledger.unwatch(watch) }
}
