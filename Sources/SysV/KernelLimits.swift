import CSysV
public import SystemPackage

extension SemaphoreLimits {
  /// Asks the kernel.
  ///
  /// - Throws: What the kernel says, which by its manual is nothing.
  ///
  /// The corresponding C function is `semctl`, with `IPC_INFO`.
  public static func current() throws(Errno) -> SemaphoreLimits {
    let (info, _) = try seminfo.read(CInt(csysv_ipc_info))
    var limits = SemaphoreLimits()
    (limits.semaphoresPerSet, limits.semaphores, limits.sets) = (Int(info.semmsl), Int(info.semmns), Int(info.semmni))
    (limits.operationsPerCall, limits.valueMax, limits.undoMax) = (Int(info.semopm), Int(info.semvmx), Int(info.semaem))
    return limits
  }
}

extension SharedMemoryLimits {
  /// Asks the kernel.
  ///
  /// - Throws: What the kernel says, which by its manual is nothing.
  ///
  /// The corresponding C function is `shmctl`, with `IPC_INFO`.
  public static func current() throws(Errno) -> SharedMemoryLimits {
    var info = shminfo()
    try throwingErrno(system_shmctl(0, CInt(csysv_ipc_info), &info))
    var limits = SharedMemoryLimits()
    (limits.byteCountMax, limits.byteCountMin) = (info.shmmax, info.shmmin)
    (limits.segments, limits.pages) = (Int(info.shmmni), info.shmall)
    return limits
  }
}

extension seminfo {
  /// The structure, and the highest index in use.
  static func read(_ command: CInt) throws(Errno) -> (seminfo, highestIndex: Int) {
    var info = seminfo()
    let result = withUnsafeMutablePointer(to: &info) { system_semctl(0, 0, command, csysv_semun(info: $0)) }
    return (info, Int(try throwingErrno(result)))
  }
}
