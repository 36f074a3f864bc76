import Glibc
import Leasehold
import SysV
import SystemPackage

/// The folders below which the files of `path:` locks must lie.
///
/// A path is looked at after its links and `..` are resolved: a service with rights must not make files for callers
/// wherever they like.
struct PathRoots: Sendable {
  /// The folders, resolved.
  let folders: [String]

  init(_ folders: [String]) { self.folders = folders.map { Self.resolve($0) ?? $0 } }

  /// The key of a file and a project (ftok(3)), which IPC::Semaphore::Concurrency uses; makes the file like it.
  func key(of path: String, project: UInt8, creating: Bool, touching: Bool) throws(BindFailure) -> IPCKey {
    let file = try resolved(path)
    guard folders.contains(where: { Self.lies(file, below: $0) }) else {
      throw .pathNotAllowed(roots: folders.joined(separator: ", "))
    }
    if creating { try open(file, touching: touching) }
    do {
      return try IPCKey.fileToken(path: FilePath(file), project: project)
    } catch {
      throw .noPath(errno: error.label)
    }
  }

  /// The path with every link followed; of a file that is not there yet, that of its folder and its name.
  private func resolved(_ path: String) throws(BindFailure) -> String {
    if let whole = Self.resolve(path) { return whole }
    let flaw = Errno(rawValue: errno)
    guard flaw == .noSuchFileOrDirectory, let slash = path.lastIndex(of: "/") else { throw .noPath(errno: flaw.label) }
    // It came into being meanwhile, or is a link that leads nowhere.
    if Self.isThere(path) {
      guard let whole = Self.resolve(path) else { throw .noPath(errno: flaw.label) }
      return whole
    }
    let name = path[path.index(after: slash)...]
    guard !name.isEmpty, name != ".", name != ".." else { throw .noPath(errno: flaw.label) }
    guard let folder = Self.resolve(slash == path.startIndex ? "/" : String(path[..<slash])) else {
      throw .noPath(errno: Errno(rawValue: errno).label)
    }
    return folder == "/" ? "/\(name)" : "\(folder)/\(name)"
  }

  /// Opened for writing and made if missing, as the module does, and never through a link: it was resolved.
  private func open(_ file: String, touching: Bool) throws(BindFailure) {
    let flags = O_WRONLY | O_CREAT | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC
    let descriptor = Glibc.open(file, flags, 0o666)
    guard descriptor >= 0 else {
      // A file that may not be written is good enough: only its number counts.
      if Self.resolve(file) != nil { return }
      throw .noPath(errno: Errno(rawValue: errno).label)
    }
    if touching { futimens(descriptor, nil) }
    close(descriptor)
  }

  private static func lies(_ file: String, below folder: String) -> Bool {
    folder == "/" || (file.hasPrefix(folder) && file.utf8.dropFirst(folder.utf8.count).first == UInt8(ascii: "/"))
  }

  private static func isThere(_ path: String) -> Bool {
    var status = stat()
    return lstat(path, &status) == 0
  }

  private static func resolve(_ path: String) -> String? {
    guard let resolved = realpath(path, nil) else { return nil }
    defer { free(resolved) }
    return String(cString: resolved)
  }
}
