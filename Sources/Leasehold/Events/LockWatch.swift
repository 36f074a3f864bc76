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

/// The watchers of each lock.
struct LockWatches {
  struct Watch {
    /// Nothing where the ledger knows nothing of the lock: only who looks again notices.
    let lock: Lock?
    let watcher: any LockWatcher
  }

  var byID: [WatchID: Watch] = [:]
  var lastID: WatchID = 0
  /// The version of the lock that changed last.
  var lastVersion: UInt64 = 0
}

extension Ledger {
  /// A lock's state changed.
  @inline(__always)
  func touch(_ lock: Lock) {
    watches.lastVersion &+= 1
    lock.version = watches.lastVersion
    if !lock.watches.isEmpty { tellWatchers(of: lock) }
  }

  private func tellWatchers(of lock: Lock) {
    for id in lock.watches {
      if let watch = watches.byID.removeValue(forKey: id) { notices.append(.changed(watch.watcher)) }
    }
    lock.watches = []
  }

  /// Watches a lock as long as its tag is one of these.
  ///
  /// - Throws: As ``LockWatchService/watch(_:listed:unless:watcher:)``.
  public func watch(
    _ lock: LockName, listed: Int, unless tags: [String], watcher: any LockWatcher
  ) throws(LeaseholdError) -> WatchOutcome {
    let snapshot = try self.lock(lock.key, lock.native, listed: listed)
    guard tags == ["*"] || tags.contains(snapshot.tag.text) else { return .changed(snapshot) }
    guard watches.byID.count < limits.waiters else { throw Self.tooManyWaiters(limits.waiters) }
    watches.lastID += 1
    let known =
      lock.native == nil
      ? lockTable[lock.key] : snapshot.binding.flatMap { lockTable.nativeSet($0.id)?.locks[$0.semaphore] }
    watches.byID[watches.lastID] = LockWatches.Watch(lock: known, watcher: watcher)
    known?.watches.append(watches.lastID)
    return .watching(watches.lastID)
  }

  /// The watcher is gone.
  public func unwatch(_ id: WatchID) {
    watches.byID.removeValue(forKey: id)?.lock?.watches.removeAll { $0 == id }
  }
}
