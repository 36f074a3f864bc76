/// The kernel's status of a semaphore set, as of one instant.
///
/// The corresponding C type is `struct semid_ds`.
public struct SemaphoreSetStatus: Hashable, Sendable {
  /// The owner and the mode.
  public var permissions: IPCPermissions
  /// The number of its semaphores.
  public var count: Int
  /// When an operation last succeeded, in whole seconds since 1970; `nil` when none ever did.
  ///
  /// `nil` therefore marks a set whose creator may still be setting it up.
  public var operatedAtSeconds: Int64?
  /// When it was created, or its values or permissions last set, in whole seconds since 1970.
  public var changedAtSeconds: Int64 = 0

  /// Describes a set on which nothing was done.
  public init(permissions: IPCPermissions, count: Int) { (self.permissions, self.count) = (permissions, count) }
}

/// The limits of an IPC namespace for semaphores; `/proc/sys/kernel/sem` holds the first four.
///
/// The corresponding C type is `struct seminfo`.
public struct SemaphoreLimits: Hashable, Sendable {
  /// In one set (SEMMSL).
  public var semaphoresPerSet = 0
  /// In all sets together (SEMMNS).
  public var semaphores = 0
  /// In one call of `semop` (SEMOPM).
  public var operationsPerCall = 0
  /// All sets (SEMMNI).
  public var sets = 0
  /// The largest value of a semaphore (SEMVMX).
  public var valueMax = 32_767
  /// The largest undo of a semaphore that a process can have (SEMAEM).
  public var undoMax = 0

  /// Room for nothing.
  public init() {}
}

/// The use of semaphores in an IPC namespace.
public struct SemaphoreUsage: Hashable, Sendable {
  /// Sets there are.
  public var sets = 0
  /// Semaphores in all sets together.
  public var semaphores = 0
  /// The highest place of the kernel's table that is in use; 0 also when none is.
  public var highestIndex = 0

  /// An empty namespace.
  public init() {}
}
