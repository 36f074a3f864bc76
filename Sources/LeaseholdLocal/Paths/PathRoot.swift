import Glibc
import Leasehold
import SysV
import Synchronization
import SystemPackage

/// A folder that is held by a descriptor, so that it stays the same one whatever becomes of its name.
final class PathRoot: Sendable {
  /// As it was configured.
  let path: String
  private let folder = Mutex<Held?>(nil)

  /// The folder and which one it is.
  struct Held: Sendable {
    let descriptor: FileDescriptor
    let identity: FileStatus.Identity
  }

  init(_ path: String) {
    self.path = path.utf8.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
    _ = held()
  }

  deinit { try? folder.withLock { $0 }?.descriptor.close() }

  /// The folder; `nil` while there is none.
  ///
  /// One that was not there at the start, or was removed since, is looked for anew.
  func held() -> Held? {
    folder.withLock { held in
      if let known = held {
        if (try? FileStatus(known.descriptor).isRemoved) == false { return known }
        try? known.descriptor.close()
        held = nil
      }
      let descriptor = Glibc.open(path, FileDescriptor.justNaming | O_DIRECTORY | O_CLOEXEC)
      guard descriptor >= 0 else { return nil }
      let folder = FileDescriptor(rawValue: descriptor)
      guard let status = try? FileStatus(folder) else {
        try? folder.close()
        return nil
      }
      held = Held(descriptor: folder, identity: status.identity)
      return held
    }
  }

  /// The rest of a path behind the folder's own; `nil` when it does not begin with that.
  func rest(of other: String) -> String? {
    let prefix = path == "/" ? "" : path
    guard other.begins(with: prefix), other.utf8.dropFirst(prefix.utf8.count).first == UInt8(ascii: "/") else {
      return nil
    }
    return Self.relative(other[other.utf8.index(other.startIndex, offsetBy: prefix.utf8.count)...])
  }

  /// A path without the slashes that it begins with; the folder itself where nothing is left.
  static func relative(_ path: Substring) -> String {
    let rest = path.utf8.drop { $0 == UInt8(ascii: "/") }
    return rest.isEmpty ? "." : String(Substring(rest))
  }

  /// The names of a path, as the kernel tells them apart: a slash before a combining mark is one, too.
  static func steps(of path: String) -> [String] {
    path.utf8.split(separator: UInt8(ascii: "/")).map { String(Substring($0)) }
  }

  /// True when the kernel can open beneath a folder: Linux 5.6, and a sandbox that knows the call.
  static let kernelHasOpenat2: Bool = {
    let root = Glibc.open("/", FileDescriptor.justNaming | O_DIRECTORY | O_CLOEXEC)
    guard root >= 0 else { return false }
    let folder = FileDescriptor(rawValue: root)
    defer { try? folder.close() }
    guard let found = try? folder.open(beneath: ".", FileDescriptor.justNaming | O_CLOEXEC) else { return false }
    try? found.close()
    return true
  }()
}

/// The kernel's status of a file that is held.
struct FileStatus {
  /// Which file it is on this host.
  struct Identity: Equatable, Sendable {
    let device: UInt64
    let inode: UInt64
  }

  private let file: FileDescriptor
  private let status: stat

  /// The corresponding C function is `fstat`.
  init(_ file: FileDescriptor) throws(Errno) {
    self.file = file
    var status = stat()
    guard fstat(file.rawValue, &status) == 0 else { throw Errno(rawValue: errno) }
    self.status = status
  }

  /// Which file a path leads to, with the rights of this thread.
  static func identity(of path: String) -> Result<Identity, Errno> {
    var status = stat()
    guard stat(path, &status) == 0 else { return .failure(Errno(rawValue: errno)) }
    return .success(Identity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino)))
  }

  var identity: Identity { Identity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino)) }
  var isFile: Bool { status.st_mode & S_IFMT == S_IFREG }
  var isFolder: Bool { status.st_mode & S_IFMT == S_IFDIR }
  var isLink: Bool { status.st_mode & S_IFMT == S_IFLNK }
  /// True when no name leads to it any more.
  var isRemoved: Bool { status.st_nlink == 0 }

  /// Returns true when owner, mode and access control list give a user rights: 4 to read, 2 to write, 1 to run or
  /// search.
  ///
  /// A user that is not the owner and meets a list that cannot be read has none.
  func lets(_ caller: FileCaller, _ rights: UInt32) -> Bool {
    guard case .user(let user) = caller else { return true }
    if status.st_uid == user.user { return status.st_mode >> 6 & rights == rights }
    let groups = Set(user.groups + [user.group])
    do throws(Errno) {
      // Without rights for the group, which are those of the list's mask, the kernel does not look at the list either.
      guard status.st_mode >> 3 & 7 != 0, let bytes = try file.accessList() else {
        return status.st_mode >> (groups.contains(status.st_gid) ? 3 : 0) & rights == rights
      }
      return AccessList(bytes)?.lets(user: user.user, groups: groups, owningGroup: status.st_gid, rights) ?? false
    } catch {
      return false
    }
  }

  /// Returns true when a user is the owner.
  func belongs(to caller: FileCaller) -> Bool {
    guard case .user(let user) = caller else { return true }
    return status.st_uid == user.user
  }
}
