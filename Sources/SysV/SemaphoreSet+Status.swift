import CSysV
public import SystemPackage
public import SysVTypes

extension SemaphoreSet {
  /// The kernel's status of a set, as of one instant.
  public typealias Status = SemaphoreSetStatus

  /// Looks at the set.
  ///
  /// - Throws: `Errno.permissionDenied` without read permission, `Errno.invalidArgument` when it is gone.
  ///
  /// The corresponding C function is `semctl`, with `IPC_STAT`.
  public func status() throws(Errno) -> Status {
    var data = semid_ds()
    try control(IPC_STAT, &data)
    return Status(data)
  }

  /// Looks at the set whatever its mode, as /proc/sysvipc/sem does for every user.
  ///
  /// - Throws: `Errno.invalidArgument` when it is gone, `Errno.permissionDenied` where the kernel has no such call
  ///   (before 4.17) and the mode does not let this process read.
  ///
  /// The corresponding C function is `semctl`, with `IPC_STAT`, or else `SEM_STAT_ANY`.
  public func anyStatus() throws(Errno) -> Status {
    do {
      return try status()
    } catch .permissionDenied {
      // The index of a set is the low part of its number; the kernel tells the whole number back.
      var data = semid_ds()
      let found = withUnsafeMutablePointer(to: &data) {
        system_semctl(id & 0x7fff, 0, SEM_STAT_ANY, csysv_semun(buf: $0))
      }
      guard found == id else { throw .permissionDenied }
      return Status(data)
    }
  }

  /// Sets owner, group and mode; the other fields are not looked at.
  ///
  /// - Throws: `Errno.notPermitted` unless owner, creator or privileged.
  ///
  /// The corresponding C function is `semctl`, with `IPC_SET`.
  public func setPermissions(_ permissions: IPCPermissions) throws(Errno) {
    var data = semid_ds()
    permissions.fill(&data.sem_perm)
    try control(IPC_SET, &data)
  }

  /// Sets the mode and keeps owner and group: two calls, the first of which needs read permission.
  ///
  /// - Throws: As ``status()`` and ``setPermissions(_:)``.
  public func setMode(_ mode: IPCMode) throws(Errno) {
    var permissions = try status().permissions
    permissions.mode = mode
    try setPermissions(permissions)
  }

  private func control(_ command: CInt, _ data: inout semid_ds) throws(Errno) {
    let result = withUnsafeMutablePointer(to: &data) { system_semctl(id, 0, command, csysv_semun(buf: $0)) }
    try throwingErrno(result)
  }
}

extension SemaphoreSet.Status {
  init(_ data: semid_ds) {
    self.init(permissions: IPCPermissions(data.sem_perm), count: Int(data.sem_nsems))
    operatedAtSeconds = data.sem_otime == 0 ? nil : Int64(data.sem_otime)
    changedAtSeconds = Int64(data.sem_ctime)
  }
}
