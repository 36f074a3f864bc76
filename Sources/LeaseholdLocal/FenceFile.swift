import Glibc
import Leasehold
import LeaseholdHost
public import SystemPackage

/// Why the high-water mark of fences cannot be read or kept.
public enum FenceFileError: Error, Equatable, CustomStringConvertible, Sendable {
  /// The kernel refuses `what`, which names the file or the folder.
  case system(what: String, folder: String, errno: Errno)
  /// There is something in the file's place that is no file: a link, a folder, a device.
  case notAFile(path: String)
  /// Others could have written the file.
  case notOurs(path: String, owner: UInt32, mode: UInt32)
  /// Others could put another file in the place of the mark.
  case openFolder(path: String, owner: UInt32, mode: UInt32)
  /// The file has no number, or one that leaves no room for fences.
  case outOfRange(path: String, found: String)

  /// One sentence or two for a person.
  public var description: String {
    switch self {
    case .system(let what, let folder, let errno):
      "cannot \(what): \(errno) (\(errno.label)); --state-dir must name a folder that uid \(HostFacts.uid) may write "
        + "(install -d -m 0700 -o \(HostFacts.uid) \(folder)), on a disk that is not full; or leave --state-dir out"
    case .notAFile(let path):
      "\(path) is not a regular file, and is not followed; remove it, or give another --state-dir"
    case .notOurs(let path, let owner, let mode):
      "\(path) belongs to uid \(owner), mode 0\(String(mode, radix: 8)): others could have set the fences in it; "
        + "if its number is right: chown \(HostFacts.uid) \(path) && chmod 0600 \(path); else remove it"
    case .openFolder(let path, let owner, let mode):
      "the folder \(path) belongs to uid \(owner), mode 0\(String(mode, radix: 8)): others could replace the mark of "
        + "fences in it; chown \(HostFacts.uid) \(path) && chmod o-w \(path), or give another --state-dir"
    case .outOfRange(let path, let found):
      "\(path) has '\(found)' where a number from 0 to \(FenceFile.largest) is expected; fences cannot go on from it. "
        + "Remove it, and they go on from the ledger and the wall clock: see first that the clock is right"
    }
  }
}

/// The high-water mark of fences in a file: fences grow through a reboot even when the wall clock was set back.
///
/// The mark is written ahead of the fences, about once in five seconds, so that no grant waits for a disk. Neither the
/// file nor its folder is trusted by name: links are not followed, and what others may write is not read.
struct FenceFile: Sendable {
  private let folder: String

  /// Fences count microseconds: ten seconds ahead.
  static let ahead: UInt64 = 10_000_000
  /// The largest mark: as far as fences are believed, in the year 2255.
  static let largest = UInt64(Limits.foundFence)
  private static let name = "fence"
  private static let freshName = "fence.new"

  init(directory: String) { folder = directory }

  private var path: String { folder + "/" + Self.name }
  private var freshPath: String { folder + "/" + Self.freshName }

  /// The mark; `nil` when there is none yet.
  func read() throws(FenceFileError) -> UInt64? {
    let directory = try openFolder()
    defer { close(directory) }
    // A device or a fifo must not keep the start waiting.
    let file = openat(directory, Self.name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)
    if file < 0 {
      if errno == ENOENT { return nil }
      throw errno == ELOOP ? .notAFile(path: path) : failure("open \(path)")
    }
    defer { close(file) }
    try check(file)
    let (bytes, problem) = HostFile.read(file, bytesMax: 64)
    guard problem == 0 else { throw failure("read \(path)", problem) }
    let text = String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    guard let mark = UInt64(text), mark <= Self.largest else {
      throw .outOfRange(path: path, found: String(text.prefix(32).map { $0.isASCII && !$0.isNewline ? $0 : "?" }))
    }
    return mark
  }

  /// Writes a mark, cut to ``largest``; the old one stays whole until the new one is on the disk.
  func write(_ mark: UInt64) throws(FenceFileError) {
    let directory = try openFolder()
    defer { close(directory) }
    let file = try makeFresh(in: directory)
    var text = "\(min(mark, Self.largest))\n"
    let isWritten = text.withUTF8 { Glibc.write(file, $0.baseAddress, $0.count) == $0.count }
    // A short write of a few bytes has no errno of its own.
    let problem = isWritten ? (fsync(file) == 0 ? 0 : errno) : (errno == 0 ? ENOSPC : errno)
    close(file)
    guard problem == 0 else { throw failure("write \(freshPath)", problem) }
    guard renameat(directory, Self.freshName, directory, Self.name) == 0 else { throw failure("rename \(freshPath)") }
    guard fsync(directory) == 0 else { throw failure("sync the folder \(folder)") }
  }

  /// The folder, if no other user may replace what is in it.
  private func openFolder() throws(FenceFileError) -> Int32 {
    let directory = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard directory >= 0 else { throw failure("open the folder \(folder)") }
    var status = stat()
    let isKnown = fstat(directory, &status) == 0
    let isSticky = status.st_mode & S_ISVTX != 0
    guard isKnown, [0, HostFacts.uid].contains(status.st_uid), isSticky || status.st_mode & S_IWOTH == 0 else {
      let reason: FenceFileError =
        isKnown
        ? .openFolder(path: folder, owner: status.st_uid, mode: status.st_mode & 0o7777)
        : failure("look at the folder \(folder)")
      close(directory)
      throw reason
    }
    return directory
  }

  /// A new file for the new mark, in place of what a daemon that died may have left.
  private func makeFresh(in directory: Int32) throws(FenceFileError) -> Int32 {
    for _ in 0..<2 {
      errno = 0
      let file = openat(
        directory, Self.freshName, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode_t(0o600))
      if file >= 0 { return file }
      guard errno == EEXIST else { throw failure("make \(freshPath)") }
      // A link is removed itself, not what it names; a folder stays.
      guard unlinkat(directory, Self.freshName, 0) == 0 || errno == ENOENT else { throw failure("remove \(freshPath)") }
    }
    throw failure("make \(freshPath)", EEXIST)
  }

  /// Refuses what is no file, and what others may write.
  private func check(_ file: Int32) throws(FenceFileError) {
    var status = stat()
    guard fstat(file, &status) == 0 else { throw failure("look at \(path)") }
    guard status.st_mode & S_IFMT == S_IFREG else { throw .notAFile(path: path) }
    guard [0, HostFacts.uid].contains(status.st_uid), status.st_mode & 0o022 == 0 else {
      throw .notOurs(path: path, owner: status.st_uid, mode: status.st_mode & 0o7777)
    }
  }

  private func failure(_ what: String, _ number: Int32 = errno) -> FenceFileError {
    .system(what: what, folder: folder, errno: Errno(rawValue: number))
  }
}
