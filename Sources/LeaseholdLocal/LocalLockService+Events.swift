public import Leasehold
import Synchronization

extension LocalLockService {
  /// The events from a number on.
  public func events(from number: UInt64, limit: Int) -> EventBatch {
    core.withLock { $0.ledger.events(from: number, limit: limit) }
  }

  /// Watches a lock.
  ///
  /// - Throws: As ``LockWatchService/watch(_:listed:unless:watcher:)``.
  public func watch(
    _ lock: LockName, listed: Int, unless tags: [String], watcher: any LockWatcher
  ) throws(LeaseholdError) -> WatchOutcome {
    try change { ledger throws(LeaseholdError) in
      try ledger.watch(lock, listed: listed, unless: tags, watcher: watcher)
    }
  }

  /// The watcher is gone.
  public func unwatch(_ watch: WatchID) { change { $0.unwatch(watch) } }
}
