import CSysV
public import SystemPackage
public import SysVTypes

extension SharedMemorySegment {
  /// The kernel's status of a segment, as of one instant.
  ///
  /// The corresponding C type is `struct shmid_ds`.
  public struct Status: Hashable, Sendable {
    /// The owner and the mode.
    public var permissions: IPCPermissions
    /// The size asked for when it was created.
    public let byteCount: Int
    /// The number of times that it is attached, in all processes together.
    public let attachCount: Int
    /// True when it was removed and goes when the last process detaches it; its key is then gone already.
    ///
    /// The corresponding C constant is `SHM_DEST`.
    public let isMarkedForRemoval: Bool
    /// True when it is kept from being swapped out.
    ///
    /// The corresponding C constant is `SHM_LOCKED`.
    public let isLocked: Bool
    /// The process that created it.
    public let creatorProcessID: Int32
    /// The process that last attached or detached it; 0 if none has.
    public let lastProcessID: Int32
    /// When it was last attached, in whole seconds since 1970; `nil` when it never was.
    public let attachedAtSeconds: Int64?
    /// When it was last detached, in whole seconds since 1970; `nil` when it never was.
    public let detachedAtSeconds: Int64?
    /// When it was created or its permissions were last set, in whole seconds since 1970.
    public let changedAtSeconds: Int64
  }

  /// Looks at the segment.
  ///
  /// - Throws: `Errno.permissionDenied` without read permission, `Errno.invalidArgument` when it is gone.
  ///
  /// The corresponding C function is `shmctl`, with `IPC_STAT`.
  public func status() throws(Errno) -> Status {
    var data = shmid_ds()
    try throwingErrno(system_shmctl(id, IPC_STAT, &data))
    return Status(data)
  }

  /// Sets owner, group and mode; the other fields are not looked at.
  ///
  /// - Throws: `Errno.notPermitted` unless owner, creator or privileged.
  ///
  /// The corresponding C function is `shmctl`, with `IPC_SET`.
  public func setPermissions(_ permissions: IPCPermissions) throws(Errno) {
    var data = shmid_ds()
    permissions.fill(&data.shm_perm)
    try throwingErrno(system_shmctl(id, IPC_SET, &data))
  }

  /// Sets the mode and keeps owner and group: two calls, the first of which needs read permission.
  ///
  /// - Throws: As ``status()`` and ``setPermissions(_:)``.
  public func setMode(_ mode: IPCMode) throws(Errno) {
    var permissions = try status().permissions
    permissions.mode = mode
    try setPermissions(permissions)
  }
}

extension SharedMemorySegment.Status {
  init(_ data: shmid_ds) {
    permissions = IPCPermissions(data.shm_perm)
    byteCount = Int(data.shm_segsz)
    attachCount = Int(data.shm_nattch)
    isMarkedForRemoval = data.shm_perm.mode & mode_t(SHM_DEST) != 0
    isLocked = data.shm_perm.mode & mode_t(SHM_LOCKED) != 0
    creatorProcessID = data.shm_cpid
    lastProcessID = data.shm_lpid
    attachedAtSeconds = data.shm_atime == 0 ? nil : Int64(data.shm_atime)
    detachedAtSeconds = data.shm_dtime == 0 ? nil : Int64(data.shm_dtime)
    changedAtSeconds = Int64(data.shm_ctime)
  }
}
