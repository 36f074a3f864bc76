/// Hears, once, that a lock is not what it was.
///
/// Called on any thread, outside every lock.
public protocol LockWatcher: AnyObject, Sendable {
  /// Its holders or its queue changed, or it is gone.
  func lockChanged()
}

/// Names a watch until it ends.
public typealias WatchID = UInt64

/// The mark by which one state of a lock is told from another.
public struct LockTag: Hashable, Sendable {
  /// The life of the ledger.
  public var epoch: UInt64
  /// Grows with every change by this service; 0 where it knows nothing of the lock.
  public var version: UInt64
  /// Free units in the kernel, which native programs change.
  public var units: Int?
  /// Free slots, which takes in the writers of an `apache:` lock.
  public var available: Int?

  /// The text between the quotes of an ETag.
  public var text: String {
    let words = [String(epoch, radix: 16), String(version)] + [units, available].map { $0.map(String.init) ?? "x" }
    return words.joined(separator: "-")
  }
}

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
