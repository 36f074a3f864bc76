/// Another limit for a counting lock.
public struct ResizeRequest: Sendable {
  /// The name of an own lock.
  public var key: LockKey
  /// Slots, 0...32767; with 0 nothing is granted.
  public var limit: Int
  /// True when the limits that callers ask for do not count from now on, and the lock is kept when nobody uses it.
  public var isPinned: Bool
  /// The names of the slots, as many as the limit; `nil` leaves them as they are.
  public var names: [String]?

  /// Asks for a limit; 0 is always pinned, as no caller can ask for that.
  public init(_ key: LockKey, limit: Int, isPinned: Bool) {
    self.key = key
    self.limit = limit
    self.isPinned = isPinned || limit == 0
  }
}

/// A lock that was opened without being taken.
public struct OpenedLock: Sendable {
  /// The lock.
  public var lock: LockSnapshot
  /// True when it, or its set, did not exist before.
  public var wasMade: Bool
  /// True when the asked limit is in force, on native locks that have one.
  public var limitApplied: Bool?

  /// Makes a description.
  public init(lock: LockSnapshot, wasMade: Bool, limitApplied: Bool? = nil) {
    self.lock = lock
    self.wasMade = wasMade
    self.limitApplied = limitApplied
  }
}

/// Where a native name leads.
public struct KeyBinding: Sendable {
  /// The SysV key; `nil` where it cannot be known, because a file is not there or a set has only an identifier.
  public var key: Int32?
  /// The set; `nil` when there is none.
  public var id: Int32?
  /// The semaphores that the set has, or would be made with.
  public var semaphoreCount: Int
  /// The semaphore that names the lock.
  public var semaphore: Int
  /// The writers' semaphore of an `apache:` lock.
  public var companion: Int?
}
