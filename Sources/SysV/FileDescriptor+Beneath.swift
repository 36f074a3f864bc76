import Glibc
public import SystemPackage

extension FileDescriptor {
  /// Opens a file beneath this folder: links and `..` are followed as long as they stay there.
  ///
  /// - Parameters:
  ///   - path: Relative to the folder; an absolute one, or a link to one, leads out of it.
  ///   - flags: As for open(2); ``justNaming`` opens nothing.
  ///   - permissions: Of a file that is made.
  /// - Throws: `EXDEV` where the path leads out of the folder; `ENOSYS` before Linux 5.6.
  ///
  /// The corresponding C function is `openat2` with RESOLVE_BENEATH and RESOLVE_NO_MAGICLINKS.
  public func open(
    beneath path: String, _ flags: CInt, permissions: FilePermissions = []
  ) throws(Errno) -> FileDescriptor {
    FileDescriptor(
      rawValue: try throwingErrno(
        path.withPlatformString { system_openat2_beneath(rawValue, $0, flags, permissions.rawValue) }))
  }

  /// The access control list of the file (acl(5)), in the kernel's form; `nil` where it has none.
  ///
  /// - Throws: What `getxattr` says beyond the absence of a list, such as `Errno.badFileDescriptor`.
  ///
  /// The corresponding C function is `getxattr` with `system.posix_acl_access`.
  public func accessList() throws(Errno) -> [UInt8]? {
    // XATTR_SIZE_MAX, which no list exceeds.
    var bytes = [UInt8](repeating: 0, count: 65_536)
    let count = bytes.withUnsafeMutableBytes { system_getxattr_posix_acl(rawValue, $0) }
    guard count < 0 else { return Array(bytes.prefix(count)) }
    let error = Errno(rawValue: errno)
    guard error == .noData || error == .notSupportedOnSocket else { throw error }
    return nil
  }

  /// The flag for a descriptor that names a file, whatever it is, and opens nothing: no device moves, no FIFO waits.
  ///
  /// The corresponding C constant is `O_PATH`.
  public static var justNaming: CInt { systemJustNaming }
}
