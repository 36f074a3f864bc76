import Glibc
import LeaseholdHost

/// Why a file that must be kept from others cannot be used; says what to do.
public struct SecretFileError: Error, CustomStringConvertible, Sendable {
  /// One sentence.
  public let description: String
}

/// Files with secrets in them.
public enum SecretFile {
  private static let bytesMax = 1 << 20

  /// Reads a whole file, of at most 1 MiB.
  ///
  /// - Parameter isSecret: Whether to refuse a file that others may read, that its group may write, that belongs to
  ///   another user than root or this one, or to which a link leads that another user can change.
  ///
  /// The file that is checked is the one that was opened. The corresponding C functions are `open`, `fstat` and `read`.
  ///
  /// - Throws: ``SecretFileError``, which says what is wrong with the file.
  public static func read(_ path: String, isSecret: Bool = true) throws(SecretFileError) -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
    guard descriptor >= 0 else {
      throw SecretFileError(description: "cannot read '\(path)': \(errnoText(errno))")
    }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw SecretFileError(description: "'\(path)' is not a file")
    }
    if isSecret { try check(path, descriptor, status) }
    guard status.st_size <= bytesMax else { throw tooLarge(path) }
    let (bytes, failure) = HostFile.read(descriptor, bytesMax: bytesMax)
    guard failure == 0 else { throw SecretFileError(description: "cannot read '\(path)': \(errnoText(failure))") }
    // It may grow meanwhile.
    guard bytes.count <= bytesMax else { throw tooLarge(path) }
    return bytes
  }

  private static func check(_ path: String, _ descriptor: Int32, _ status: stat) throws(SecretFileError) {
    guard isTrusted(status.st_uid) else {
      throw SecretFileError(
        description: "'\(path)' belongs to uid \(status.st_uid), who can change it; give it to root or to the "
          + "service's user: chown \(geteuid()) '\(path)'")
    }
    guard status.st_mode & 0o027 == 0 else {
      let mode = String(status.st_mode & 0o777, radix: 8)
      throw SecretFileError(
        description: "'\(path)' has mode 0\(mode): others can read or change it; chmod 0600 '\(path)'")
    }
    var link = stat()
    guard lstat(path, &link) == 0, link.st_mode & S_IFMT == S_IFLNK else { return }
    guard isTrusted(link.st_uid) else {
      throw SecretFileError(
        description: "'\(path)' is a link of uid \(link.st_uid), who can lead it elsewhere; name the file itself, or "
          + "make the link as root")
    }
    // Where it leads to now, as the kernel has it: /proc names what is open.
    guard let target = realpath("/proc/self/fd/\(descriptor)", nil) else { return }
    defer { free(target) }
    let file = String(cString: target)
    let folder = file.lastIndex(of: "/").map { $0 == file.startIndex ? "/" : String(file[..<$0]) } ?? "."
    guard stat(folder, &link) == 0, !isTrusted(link.st_uid) else { return }
    throw SecretFileError(
      description: "'\(path)' leads to '\(file)', in a folder of uid \(link.st_uid), who can put another file there; "
        + "keep it in a folder of root or of the service's user")
  }

  private static func isTrusted(_ user: uid_t) -> Bool { user == 0 || user == geteuid() }

  private static func tooLarge(_ path: String) -> SecretFileError {
    SecretFileError(description: "'\(path)' has more than \(bytesMax) bytes")
  }
}
