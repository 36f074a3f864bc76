import Glibc
import SysV
import SystemPackage

/// The way beneath a folder, step by step: for kernels without openat2(2), and where the rights of a caller can only be
/// read from owners and modes because the service is not root.
///
/// Every folder on the way is held while the next is opened in it, and none is opened through a link. `..` leads back
/// to the folder that was held before, and never out of the first.
struct PathWalk: ~Copyable {
  private let root: FileDescriptor
  private let caller: FileCaller
  private var folders: [FileDescriptor] = []

  init(from root: FileDescriptor, _ caller: FileCaller) throws(Errno) {
    self.root = root
    self.caller = caller
    try enter(root)
  }

  deinit { for folder in folders { try? folder.close() } }

  private var folder: FileDescriptor { folders.last ?? root }

  /// Finds a file, or makes it.
  mutating func open(_ path: String, _ wish: FileWish) throws(Errno) -> FileDescriptor {
    let steps = PathRoot.steps(of: path).filter { $0 != "." }
    let leadsToFolder = path.utf8.last == UInt8(ascii: "/") || steps.last == ".."
    for step in leadsToFolder ? steps[...] : steps.dropLast() { try go(step) }
    guard !leadsToFolder, let name = steps.last else { return try name(".", in: folder) }
    return try file(name, wish)
  }

  private mutating func go(_ step: String) throws(Errno) {
    if step == ".." {
      guard let left = folders.popLast() else { throw .improperLink }
      try? left.close()
      return
    }
    let next = try name(step, in: folder)
    do throws(Errno) {
      try enter(next)
    } catch {
      try? next.close()
      throw error
    }
    folders.append(next)
  }

  /// Enters a folder; a user that may not search it is told nothing of what is in it.
  private func enter(_ next: FileDescriptor) throws(Errno) {
    let status = try FileStatus(next)
    if status.isLink { throw .tooManySymbolicLinkLevels }
    guard status.isFolder else { throw .notDirectory }
    guard status.lets(caller, 1) else { throw .permissionDenied }
  }

  private func file(_ name: String, _ wish: FileWish) throws(Errno) -> FileDescriptor {
    for _ in 0..<16 {
      do throws(Errno) {
        let found = try self.name(name, in: folder)
        return try checked(found, wish)
      } catch {
        guard error == .noSuchFileOrDirectory, wish.makes else { throw error }
      }
      guard try FileStatus(folder).lets(caller, 3) else { throw .permissionDenied }
      let made = openat(folder.rawValue, name, FileWish.making, FileWish.permissions.rawValue)
      if made >= 0 { return FileDescriptor(rawValue: made) }
      let error = Errno(rawValue: errno)
      guard error == .fileExists else { throw error }
    }
    throw .noSuchFileOrDirectory
  }

  private func checked(_ found: FileDescriptor, _ wish: FileWish) throws(Errno) -> FileDescriptor {
    do throws(Errno) {
      let status = try FileStatus(found)
      if status.isLink { throw .tooManySymbolicLinkLevels }
      if wish.touches, status.belongs(to: caller) || status.lets(caller, 2) { touch(found) }
      return found
    } catch {
      try? found.close()
      throw error
    }
  }

  /// Names what is in a folder, a link itself where it is one.
  private func name(_ name: String, in folder: FileDescriptor) throws(Errno) -> FileDescriptor {
    let found = openat(folder.rawValue, name, FileDescriptor.justNaming | O_NOFOLLOW | O_CLOEXEC)
    guard found >= 0 else { throw Errno(rawValue: errno) }
    return FileDescriptor(rawValue: found)
  }
}
