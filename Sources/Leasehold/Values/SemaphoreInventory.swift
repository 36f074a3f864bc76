/// The name that a caller gives to a semaphore set.
public enum SemaphoreSetAddress: Sendable, Hashable {
  /// By its SysV key, not 0.
  case key(Int32)
  /// By its identifier.
  case id(Int32)
}

/// A semaphore set as the kernel describes it (semctl(2), IPC_STAT).
public struct SemaphoreSetInfo: Sendable {
  /// The SysV key; 0 for a private set.
  public var key: Int32
  /// The identifier.
  public var id: Int32
  /// Owner.
  public var uid: UInt32
  /// Owner's group.
  public var gid: UInt32
  /// Creator.
  public var creatorUID: UInt32
  /// Creator's group.
  public var creatorGID: UInt32
  /// The nine permission bits.
  public var mode: UInt16
  /// The number of semaphores.
  public var semaphoreCount: Int
  /// The last semop in seconds since 1970; 0 for never.
  public var lastOperation: Int64
  /// The last change of the set's owner, mode or values by semctl, in seconds since 1970.
  public var lastChange: Int64
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
  public init(
    key: Int32, id: Int32, uid: UInt32, gid: UInt32, creatorUID: UInt32, creatorGID: UInt32, mode: UInt16,
    semaphoreCount: Int, lastOperation: Int64, lastChange: Int64, role: Role?
  ) {
    self.key = key
    self.id = id
    self.uid = uid
    self.gid = gid
    self.creatorUID = creatorUID
    self.creatorGID = creatorGID
    self.mode = mode
    self.semaphoreCount = semaphoreCount
    self.lastOperation = lastOperation
    self.lastChange = lastChange
    self.role = role
  }
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

/// The host's semaphore sets and what the kernel allows (SEM_INFO, IPC_INFO).
public struct SemaphoreInventory: Sendable {
  /// The sets of this page.
  public var sets: [SemaphoreSetInfo] = []
  /// Where the next page begins.
  public var nextCursor: Int?
  /// SEMMNI: sets.
  public var setsMax = 0
  /// SEMMNS: semaphores of all sets.
  public var semaphoresMax = 0
  /// SEMMSL: semaphores of one set.
  public var perSetMax = 0
  /// SEMOPM: operations of one semop.
  public var operationsMax = 0
  /// SEMVMX: the highest value.
  public var valueMax = 32_767
  /// Sets in use.
  public var usedSets = 0
  /// Semaphores in use.
  public var usedSemaphores = 0

  /// An empty inventory.
  public init() {}
}
