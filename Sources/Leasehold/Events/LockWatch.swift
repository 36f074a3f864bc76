/// Hears, once, that a lock is not what it was.
///
/// Called on any thread, outside every lock.
public protocol LockWatcher: AnyObject, Sendable {
  /// Its holders or its queue changed, or it is gone.
  func lockChanged()
}

/// Names a watch until it ends.
public typealias WatchID = UInt64

/// The outcome of asking for a watch.
public enum WatchOutcome: Sendable {
  /// The lock is in another state already.
  case changed(LockSnapshot)
  /// The watcher will hear of it.
  case watching(WatchID)
}

/// Waits for changes of locks without a thread.
public protocol LockWatchService: AnyObject, Sendable {
  /// Watches a lock as long as its tag is one of these: by what stands between the quotes, or `*`.
  ///
  /// - Throws: As ``LockService/lock(_:listed:)``, and `too-many-waiters`.
  func watch(
    _ lock: LockName, listed: Int, unless tags: [String], watcher: any LockWatcher
  ) throws(LeaseholdError) -> WatchOutcome
  /// The watcher is gone; answers at once.
  func unwatch(_ watch: WatchID)
}
