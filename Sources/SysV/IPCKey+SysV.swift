public import SysVTypes
public import SystemPackage

extension IPCKey {
  /// Derives a key from a file that exists.
  ///
  /// Eight bits of `project`, eight of the device number and sixteen of the inode: two files can have the same key,
  /// and a file that is replaced gets another.
  /// - Throws: What `stat` says of the path, such as `Errno.noSuchFileOrDirectory`.
  ///
  /// The corresponding C function is `ftok`.
  public static func fileToken(path: FilePath, project: UInt8) throws(Errno) -> IPCKey {
    let key = path.withPlatformString { system_ftok($0, CInt(project)) }
    if key == -1, let error = errnoIfSet() { throw error }
    return IPCKey(rawValue: key)
  }
}
