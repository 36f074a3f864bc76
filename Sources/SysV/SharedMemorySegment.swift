import CSysV
public import SystemPackage
public import SysVTypes

/// A piece of shared memory in the kernel, known by its number.
///
/// A value, not an owner: the segment lives in its IPC namespace until it is removed and the last process has
/// detached it.
public struct SharedMemorySegment: Hashable, Sendable, Identifiable {
  /// The number that `shmget` returned.
  public let id: Int32

  /// Refers to the segment with that number, whether there is one or not.
  public init(id: Int32) { self.id = id }

  /// An option of a new segment.
  public struct Options: OptionSet, Hashable, Sendable {
    /// Bits of the flags of `shmget`.
    public let rawValue: Int32

    /// Takes bits of the flags of `shmget`.
    public init(rawValue: Int32) { self.rawValue = rawValue }

    /// Sets no swap space aside: the size is a promise, and memory is found when a page is first touched.
    ///
    /// The corresponding C constant is `SHM_NORESERVE`.
    public static let noReserve = Options(rawValue: Int32(SHM_NORESERVE))
  }

  /// Makes a segment that did not exist; it is all zeroes.
  ///
  /// - Parameters:
  ///   - key: ``IPCKey/private`` makes a segment that no program finds by a key.
  ///   - byteCount: From ``SharedMemoryLimits/byteCountMin`` to ``SharedMemoryLimits/byteCountMax``; the
  ///     kernel gives whole pages and remembers this number.
  ///   - mode: The rights to read and to write. The process umask has no say.
  ///   - options: The kernel does not tell them afterwards.
  /// - Throws: `Errno.fileExists` when the key is taken, `Errno.invalidArgument` for a size out of range,
  ///   `Errno.noSpace` at the limit of segments or of all pages, `Errno.noMemory`.
  ///
  /// The corresponding C function is `shmget`, with `IPC_CREAT | IPC_EXCL`.
  public static func create(
    key: IPCKey = .private, byteCount: Int, mode: IPCMode = .ownerReadWrite, options: Options = []
  ) throws(Errno) -> SharedMemorySegment {
    try get(key, byteCount, IPC_CREAT | IPC_EXCL | options.rawValue, mode)
  }

  /// Finds the segment of a key.
  ///
  /// - Parameters:
  ///   - key: Never ``IPCKey/private``, which would find nothing and is refused as not there.
  ///   - byteCount: The least size it must have; 0 takes any.
  ///   - mode: The permissions it must grant this process; none asks nothing.
  /// - Throws: `Errno.noSuchFileOrDirectory`, `Errno.permissionDenied`, `Errno.invalidArgument` when it is smaller.
  ///
  /// The corresponding C function is `shmget`.
  public static func open(
    key: IPCKey, byteCount: Int = 0, mode: IPCMode = []
  ) throws(Errno) -> SharedMemorySegment {
    if key == .private { throw .noSuchFileOrDirectory }
    return try get(key, byteCount, 0, mode)
  }

  /// Finds the segment of a key, or makes it.
  ///
  /// - Throws: As ``open(key:byteCount:mode:)`` and ``create(key:byteCount:mode:options:)``.
  ///
  /// The corresponding C function is `shmget`, with `IPC_CREAT`.
  public static func openOrCreate(
    key: IPCKey, byteCount: Int, mode: IPCMode = .ownerReadWrite, options: Options = []
  ) throws(Errno) -> SharedMemorySegment {
    try get(key, byteCount, IPC_CREAT | options.rawValue, mode)
  }

  private static func get(
    _ key: IPCKey, _ byteCount: Int, _ flags: CInt, _ mode: IPCMode
  ) throws(Errno) -> SharedMemorySegment {
    let bits = flags | CInt(mode.rawValue)
    return SharedMemorySegment(id: try throwingErrno(system_shmget(key.rawValue, byteCount, bits)))
  }

  /// Takes the key away at once and the memory when the last process has detached it.
  ///
  /// - Throws: `Errno.notPermitted` unless owner, creator or privileged.
  ///
  /// The corresponding C function is `shmctl`, with `IPC_RMID`.
  public func remove() throws(Errno) {
    try throwingErrno(system_shmctl(id, IPC_RMID, nil))
  }

  /// Keeps the segment's pages from being swapped out, once they are there.
  ///
  /// - Throws: `Errno.notPermitted` unless owner or creator, `Errno.noMemory` above RLIMIT_MEMLOCK.
  ///
  /// The corresponding C function is `shmctl`, with `SHM_LOCK`.
  public func lock() throws(Errno) {
    try throwingErrno(system_shmctl(id, SHM_LOCK, nil))
  }

  /// Lets the segment's pages be swapped out again.
  ///
  /// - Throws: `Errno.notPermitted` unless owner or creator.
  ///
  /// The corresponding C function is `shmctl`, with `SHM_UNLOCK`.
  public func unlock() throws(Errno) {
    try throwingErrno(system_shmctl(id, SHM_UNLOCK, nil))
  }
}
