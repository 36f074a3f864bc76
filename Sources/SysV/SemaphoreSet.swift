import CSysV
public import SystemPackage
public import SysVTypes

/// A set of semaphores in the kernel, known by its number.
///
/// A value, not an owner: the set lives in its IPC namespace until a program removes it, whatever becomes of this.
/// A number is used again only after millions of sets, so a set that is gone is found out:
/// `Errno.invalidArgument`, or `Errno.identifierRemoved` when it went meanwhile.
public struct SemaphoreSet: Hashable, Sendable, Identifiable {
  /// The number that `semget` returned.
  public let id: Int32

  /// Refers to the set with that number, whether there is one or not.
  public init(id: Int32) { self.id = id }

  /// Makes a set that did not exist; its values are zero.
  ///
  /// - Parameters:
  ///   - key: ``IPCKey/private`` makes a set that no program finds by a key.
  ///   - count: From 1 to ``SemaphoreLimits/semaphoresPerSet``.
  ///   - mode: The rights to read and to change it. The process umask has no say.
  /// - Throws: `Errno.fileExists` when the key is taken, `Errno.noSpace` at the limit of sets or semaphores,
  ///   `Errno.invalidArgument` for a wrong count.
  ///
  /// The corresponding C function is `semget`, with `IPC_CREAT | IPC_EXCL`.
  public static func create(
    key: IPCKey = .private, count: Int, mode: IPCMode = .ownerReadWrite
  ) throws(Errno) -> SemaphoreSet {
    try get(key, count, IPC_CREAT | IPC_EXCL, mode)
  }

  /// Finds the set of a key.
  ///
  /// - Parameters:
  ///   - key: Never ``IPCKey/private``, which would find nothing and is refused as not there.
  ///   - count: The least number of semaphores it must have; 0 takes any.
  ///   - mode: The permissions it must grant this process; none asks nothing.
  /// - Throws: `Errno.noSuchFileOrDirectory`, `Errno.permissionDenied`, `Errno.invalidArgument` when it is smaller.
  ///
  /// The corresponding C function is `semget`.
  public static func open(
    key: IPCKey, count: Int = 0, mode: IPCMode = []
  ) throws(Errno) -> SemaphoreSet {
    if key == .private { throw .noSuchFileOrDirectory }
    return try get(key, count, 0, mode)
  }

  /// Finds the set of a key, or makes it.
  ///
  /// The result does not tell which process made it; a fresh set has ``Status/operatedAtSeconds`` `nil`.
  /// - Throws: As ``open(key:count:mode:)``, and `Errno.noSpace`.
  ///
  /// The corresponding C function is `semget`, with `IPC_CREAT`.
  public static func openOrCreate(
    key: IPCKey, count: Int, mode: IPCMode = .ownerReadWrite
  ) throws(Errno) -> SemaphoreSet {
    try get(key, count, IPC_CREAT, mode)
  }

  private static func get(
    _ key: IPCKey, _ count: Int, _ flags: CInt, _ mode: IPCMode
  ) throws(Errno) -> SemaphoreSet {
    let bits = flags | CInt(mode.rawValue)
    return SemaphoreSet(id: try throwingErrno(system_semget(key.rawValue, CInt(clamping: count), bits)))
  }

  /// Removes the set at once; every process that waits on it gets `Errno.identifierRemoved`.
  ///
  /// - Throws: `Errno.notPermitted` unless owner, creator or privileged.
  ///
  /// The corresponding C function is `semctl`, with `IPC_RMID`.
  public func remove() throws(Errno) {
    try throwingErrno(system_semctl(id, 0, IPC_RMID))
  }
}
