import CSysV
public import SystemPackage
public import SysVTypes

extension SharedMemorySegment {
  /// The kernel's status of a segment, as of one instant.
  public typealias Status = SharedMemoryStatus

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
    self.init(permissions: IPCPermissions(data.shm_perm))
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
