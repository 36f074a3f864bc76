import Glibc
import Leasehold
import SysV
import SystemPackage

/// The folders below which the files of `path:` locks must lie, and the way from a path to its key.
///
/// Each folder is held by a descriptor, and the file is looked for beneath it in one step (openat2), so nothing that is
/// moved or linked meanwhile leads out. The work has the rights of the caller, where that is a user of the Unix socket:
/// it is not told of what it may not see, and a file that it may not make is not made.
struct PathRoots: Sendable {
  private let folders: [PathRoot]
  private let usesOpenat2: Bool

  /// - Parameter usesOpenat2: For tests; the kernel is asked in any case.
  init(_ folders: [String], usesOpenat2: Bool = true) {
    self.folders = folders.map(PathRoot.init)
    self.usesOpenat2 = usesOpenat2 && PathRoot.kernelHasOpenat2
  }

  /// The key of a file and a project (ftok(3)), which IPC::Semaphore::Concurrency uses; makes the file like it.
  func key(
    of path: String, project: UInt8, creating: Bool, touching: Bool, for caller: FileCaller
  ) throws(BindFailure) -> IPCKey {
    let wish = FileWish(makes: creating, touches: creating && touching)
    if case .user(let identity) = caller, HostFacts.uid == 0 {
      let key = try identity.act { () throws(BindFailure) in try fileToken(path, project, wish, .service) }
      if let key { return key }
      // Root lacks the capabilities for that: only what both may do is left.
    }
    return try fileToken(path, project, wish, caller)
  }

  private func fileToken(
    _ path: String, _ project: UInt8, _ wish: FileWish, _ caller: FileCaller
  ) throws(BindFailure) -> IPCKey {
    let (root, rest) = try locate(path)
    do throws(Errno) {
      let file: FileDescriptor
      if usesOpenat2, case .service = caller {
        file = try open(rest, beneath: root, wish)
      } else {
        var walk = try PathWalk(from: root, caller)
        file = try walk.open(rest, wish)
      }
      defer { try? file.close() }
      let status = try FileStatus(file)
      guard status.identity != (try FileStatus(root).identity) else { throw Errno.improperLink }
      return .fileToken(device: status.identity.device, inode: status.identity.inode, project: project)
    } catch {
      throw refusal(error)
    }
  }

  private func refusal(_ error: Errno) -> BindFailure {
    switch error {
    case .improperLink: .pathNotAllowed(roots: folders.map(\.path).joined(separator: ", "))
    case .permissionDenied, .notPermitted, .tooManySymbolicLinkLevels: .pathDenied(errno: error.label)
    case let error where error.isWant: .kernel(KernelFailure(error.known))
    default: .noPath(errno: error.label)
    }
  }

  /// The number of times that a file may come and go under a request, or the tree be moved.
  private static let attempts = 16

  /// Named first and made only where it is not there: so nothing but a new file is ever opened.
  private func open(_ path: String, beneath root: FileDescriptor, _ wish: FileWish) throws(Errno) -> FileDescriptor {
    var last = Errno.noSuchFileOrDirectory
    for _ in 0..<Self.attempts {
      do throws(Errno) {
        let found = try root.open(beneath: path, FileDescriptor.justNaming | O_CLOEXEC)
        if wish.touches { touch(found) }
        return found
      } catch {
        last = error
        if error == .resourceTemporarilyUnavailable { continue }
        guard error == .noSuchFileOrDirectory, wish.makes else { throw error }
      }
      do throws(Errno) {
        return try root.open(beneath: path, FileWish.making, permissions: FileWish.permissions)
      } catch {
        // It came into being meanwhile, or is a link that leads to no file.
        guard error == .fileExists || error == .resourceTemporarilyUnavailable else { throw error }
      }
    }
    throw last
  }

  /// The folder that a path leads into by its text, or else the last of its folders that is one of ours by whatever
  /// name, and what comes behind.
  private func locate(_ path: String) throws(BindFailure) -> (FileDescriptor, String) {
    let hasDots = PathRoot.steps(of: path).contains("..")
    for folder in folders where !hasDots {
      guard let rest = folder.rest(of: path), let held = folder.held() else { continue }
      switch FileStatus.identity(of: folder.path) {
      case .success(let identity) where identity == held.identity: return (held.descriptor, rest)
      case .failure(let error) where error == .permissionDenied || error.isWant: throw refusal(error)
      default: continue
      }
    }
    var end = path.endIndex
    while let slash = path.utf8[..<end].lastIndex(of: UInt8(ascii: "/")) {
      end = slash
      let ancestor = slash == path.startIndex ? "/" : String(path[..<slash])
      let identity: FileStatus.Identity
      switch FileStatus.identity(of: ancestor) {
      case .success(let found): identity = found
      case .failure(let error) where error.isWant: throw refusal(error)
      case .failure: continue
      }
      for folder in folders {
        guard let held = folder.held(), held.identity == identity else { continue }
        return (held.descriptor, PathRoot.relative(path[slash...]))
      }
    }
    throw .pathNotAllowed(roots: folders.map(\.path).joined(separator: ", "))
  }
}

extension Errno {
  /// True when it says nothing of the file: the kernel or the process had no memory or descriptor left to look.
  fileprivate var isWant: Bool {
    [.noMemory, .tooManyOpenFiles, .tooManyOpenFilesInSystem, .overflow].contains(self)
  }
}

/// Whose rights the work on the file of a `path:` lock has.
enum FileCaller: Sendable {
  /// The service's own: over TCP nothing tells callers apart, and its own user and root may do what it may.
  case service
  /// A user of the Unix socket: with that user's rights where the service can take them on, else what both may.
  case user(FileIdentity)

  init(_ peer: Peer, groups: [UInt32]) {
    guard case .local(_, let uid, let gid) = peer, uid != 0, uid != HostFacts.uid else {
      self = .service
      return
    }
    self = .user(FileIdentity(user: uid, group: gid, groups: groups))
  }
}

/// The wishes of a request for a file beside finding it.
struct FileWish {
  /// Made if missing, as the module does, and never through a link.
  var makes: Bool
  /// Its time set to now, if it is a file.
  var touches: Bool

  static let making = O_WRONLY | O_CREAT | O_EXCL | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC
  static let permissions = FilePermissions(rawValue: 0o666)
}

/// Sets the time of a plain file to now, if that is allowed: only its number counts.
func touch(_ file: FileDescriptor) {
  guard (try? FileStatus(file).isFile) == true else { return }
  let emptyPath: Int32 = 0x1000
  if utimensat(file.rawValue, "", nil, emptyPath) == 0 || errno != EINVAL { return }
  // Linux before 5.8.
  _ = utimensat(AT_FDCWD, "/proc/self/fd/\(file.rawValue)", nil, 0)
}
