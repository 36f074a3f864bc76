/// The kernel's status of a segment of shared memory, as of one instant.
///
/// The corresponding C type is `struct shmid_ds`.
public struct SharedMemoryStatus: Hashable, Sendable {
  /// The owner and the mode.
  public var permissions: IPCPermissions
  /// The size asked for when it was created.
  public var byteCount = 0
  /// The number of times that it is attached, in all processes together.
  public var attachCount = 0
  /// True when it was removed and goes when the last process detaches it; its key is then gone already.
  ///
  /// The corresponding C constant is `SHM_DEST`.
  public var isMarkedForRemoval = false
  /// True when it is kept from being swapped out.
  ///
  /// The corresponding C constant is `SHM_LOCKED`.
  public var isLocked = false
  /// The process that created it.
  public var creatorProcessID: Int32 = 0
  /// The process that last attached or detached it; 0 if none has.
  public var lastProcessID: Int32 = 0
  /// When it was last attached, in whole seconds since 1970; `nil` when it never was.
  public var attachedAtSeconds: Int64?
  /// When it was last detached, in whole seconds since 1970; `nil` when it never was.
  public var detachedAtSeconds: Int64?
  /// When it was created or its permissions were last set, in whole seconds since 1970.
  public var changedAtSeconds: Int64 = 0

  /// Describes a segment that nobody ever attached.
  public init(permissions: IPCPermissions) { self.permissions = permissions }
}

/// The limits of an IPC namespace for shared memory.
///
/// The corresponding C type is `struct shminfo`.
public struct SharedMemoryLimits: Hashable, Sendable {
  /// The largest segment (SHMMAX).
  public var byteCountMax: UInt = 0
  /// The smallest segment (SHMMIN).
  public var byteCountMin: UInt = 0
  /// All segments (SHMMNI).
  public var segments = 0
  /// All segments together, in pages (SHMALL).
  public var pages: UInt = 0

  /// Room for nothing.
  public init() {}
}

/// The use of shared memory in an IPC namespace; one page is the system's page size.
///
/// The corresponding C type is `struct shm_info`.
public struct SharedMemoryUsage: Hashable, Sendable {
  /// Segments there are.
  public var segments = 0
  /// The size of all segments, in pages.
  public var pages = 0
  /// The part of it that is in memory, in pages.
  public var residentPages = 0
  /// The part of it that is swapped out, in pages.
  public var swappedPages = 0
  /// The highest place of the kernel's table that is in use; 0 also when none is.
  public var highestIndex = 0

  /// An empty namespace.
  public init() {}
}
