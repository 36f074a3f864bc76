import CSysV
public import SystemPackage

/// The limits of this IPC namespace for semaphores and shared memory.
public struct KernelLimits: Hashable, Sendable {
  /// For sets of semaphores.
  public let semaphores: SemaphoreLimits
  /// For segments of shared memory.
  public let sharedMemory: SharedMemoryLimits

  /// Asks the kernel: two calls, which need no permission.
  ///
  /// - Throws: What the kernel says, which by its manual is nothing.
  ///
  /// The corresponding C functions are `semctl` and `shmctl`, with `IPC_INFO`.
  public static func current() throws(Errno) -> KernelLimits {
    KernelLimits(semaphores: try .current(), sharedMemory: try .current())
  }
}

/// The limits of this IPC namespace for semaphores; `/proc/sys/kernel/sem` holds the first four.
///
/// The corresponding C type is `struct seminfo`.
public struct SemaphoreLimits: Hashable, Sendable {
  /// In one set (SEMMSL).
  public let semaphoresPerSet: Int
  /// In all sets together (SEMMNS).
  public let semaphores: Int
  /// In one call of `semop` (SEMOPM).
  public let operationsPerCall: Int
  /// All sets (SEMMNI).
  public let sets: Int
  /// The largest value of a semaphore (SEMVMX).
  public let valueMax: Int
  /// The largest undo of a semaphore that a process can have (SEMAEM).
  public let undoMax: Int

  /// Asks the kernel.
  ///
  /// - Throws: What the kernel says, which by its manual is nothing.
  ///
  /// The corresponding C function is `semctl`, with `IPC_INFO`.
  public static func current() throws(Errno) -> SemaphoreLimits {
    let (info, _) = try seminfo.read(CInt(csysv_ipc_info))
    return SemaphoreLimits(
      semaphoresPerSet: Int(info.semmsl), semaphores: Int(info.semmns), operationsPerCall: Int(info.semopm),
      sets: Int(info.semmni), valueMax: Int(info.semvmx), undoMax: Int(info.semaem))
  }
}

/// The limits of this IPC namespace for shared memory.
///
/// The corresponding C type is `struct shminfo`.
public struct SharedMemoryLimits: Hashable, Sendable {
  /// The largest segment (SHMMAX).
  public let byteCountMax: UInt
  /// The smallest segment (SHMMIN).
  public let minimumByteCount: UInt
  /// All segments (SHMMNI).
  public let segments: Int
  /// All segments together, in pages (SHMALL).
  public let pages: UInt

  /// Asks the kernel.
  ///
  /// - Throws: What the kernel says, which by its manual is nothing.
  ///
  /// The corresponding C function is `shmctl`, with `IPC_INFO`.
  public static func current() throws(Errno) -> SharedMemoryLimits {
    var info = shminfo()
    try throwingErrno(system_shmctl(0, CInt(csysv_ipc_info), &info))
    return SharedMemoryLimits(
      byteCountMax: info.shmmax, minimumByteCount: info.shmmin, segments: Int(info.shmmni), pages: info.shmall)
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
