public import SysVTypes

/// A semaphore set as the kernel describes it, and what it is to this service.
public struct SemaphoreSetInfo: Sendable {
  /// The identifier.
  public var id: Int32
  /// The kernel's status of it (semctl(2), IPC_STAT).
  public var status: SemaphoreSetStatus
  /// The role that it has for this service; `nil` for another program's set.
  public var role: Role?
  /// Leases that stand on it.
  public var leases = 0
  /// Callers who wait for something of it, through this service.
  public var waiting = 0

  /// The contents of a set of this service's own.
  public enum Role: Sendable, Equatable {
    /// The guard that keeps a second daemon out.
    case control
    /// Own locks and the leases on them.
    case bank(locks: Int, leases: Int)
  }

  /// Makes a description.
  public init(id: Int32, status: SemaphoreSetStatus, role: Role?) {
    (self.id, self.status, self.role) = (id, status, role)
  }

  /// The SysV key; 0 for a private set.
  public var key: Int32 { status.permissions.key.rawValue }
}

/// One semaphore of a set.
public struct SemaphoreInfo: Sendable {
  /// Its value, 0...32767.
  public var value: Int
  /// The last process to change it; `nil` when there was none or it cannot be seen from this PID namespace.
  public var pid: Int32?
  /// Processes that wait for the value to grow.
  public var increaseWaiters: Int
  /// Processes that wait for zero.
  public var zeroWaiters: Int
  /// The short names of this service's leases that stand on it; at most ``LockSnapshot/listed``.
  public var leases: [String]

  /// Makes a description.
  public init(value: Int, pid: Int32?, increaseWaiters: Int, zeroWaiters: Int, leases: [String]) {
    self.value = value
    self.pid = pid
    self.increaseWaiters = increaseWaiters
    self.zeroWaiters = zeroWaiters
    self.leases = leases
  }
}

/// A set with all its semaphores.
public struct SemaphoreSetDetail: Sendable {
  /// The set.
  public var info: SemaphoreSetInfo
  /// Its semaphores, in order.
  public var semaphores: [SemaphoreInfo]
  /// The leases that stand on it, at most ``LockSnapshot/listed``.
  public var holders: [LeaseSnapshot] = []
  /// The callers who wait for operations on it, in the order they came.
  public var waiters: [WaiterSnapshot] = []

  /// Makes a detailed description.
  public init(info: SemaphoreSetInfo, semaphores: [SemaphoreInfo]) {
    self.info = info
    self.semaphores = semaphores
  }
}

/// A page of the host's objects of one kind, and what the kernel allows of them.
public struct Inventory<Entry: Sendable, KernelLimits: Sendable, KernelUsage: Sendable>: Sendable {
  /// The objects of this page.
  public let entries: [Entry]
  /// Where the next page begins.
  public let nextCursor: Int?
  /// The limits of the kernel.
  public let limits: KernelLimits
  /// The part of them that is in use.
  public let usage: KernelUsage

  /// Describes one page of all that there are.
  public init<Found>(
    _ all: [Found], from cursor: Int, limit: Int, _ limits: KernelLimits, _ usage: KernelUsage,
    describing describe: (Found) -> Entry
  ) {
    entries = all.dropFirst(cursor).prefix(limit).map(describe)
    nextCursor = cursor + limit < all.count ? cursor + limit : nil
    (self.limits, self.usage) = (limits, usage)
  }
}

/// The host's semaphore sets (SEM_INFO, IPC_INFO).
public typealias SemaphoreInventory = Inventory<SemaphoreSetInfo, SemaphoreLimits, SemaphoreUsage>
/// The host's segments (IPC_INFO).
public typealias SegmentInventory = Inventory<SegmentInfo, SharedMemoryLimits, SharedMemoryUsage>
