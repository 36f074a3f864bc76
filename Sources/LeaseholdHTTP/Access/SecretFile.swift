import Glibc

/// Why a file that must be kept from others cannot be used; says what to do.
public struct SecretFileError: Error, CustomStringConvertible, Sendable {
  /// One sentence.
  public let description: String
}

/// Files with secrets in them.
public enum SecretFile {
  private static let bytesMaximum = 1 << 20

  /// Reads a whole file, of at most 1 MiB.
  ///
  /// - Parameter isSecret: Whether to refuse a file that others may read, or that its group may write.
  ///
  /// The corresponding C functions are `open`, `fstat` and `read`.
  public static func read(_ path: String, isSecret: Bool = true) throws(SecretFileError) -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else {
      throw SecretFileError(description: "cannot read '\(path)': \(errnoText(errno))")
    }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw SecretFileError(description: "'\(path)' is not a file")
    }
    guard !isSecret || status.st_mode & 0o027 == 0 else {
      let mode = String(status.st_mode & 0o777, radix: 8)
      throw SecretFileError(
        description: "'\(path)' has mode 0\(mode): others can read or change it; chmod 0600 '\(path)'")
    }
    guard status.st_size <= bytesMaximum else {
      throw SecretFileError(description: "'\(path)' has more than \(bytesMaximum) bytes")
    }
    return try contents(descriptor, path)
  }

  private static func contents(_ descriptor: Int32, _ path: String) throws(SecretFileError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: bytesMaximum + 1)
    var count = 0
    while count < bytes.count {
      let got = bytes.withUnsafeMutableBytes { room in
        Glibc.read(descriptor, room.baseAddress.map { $0 + count }, room.count - count)
      }
      if got < 0, errno == EINTR { continue }
      guard got >= 0 else { throw SecretFileError(description: "cannot read '\(path)': \(errnoText(errno))") }
      if got == 0 { return Array(bytes[..<count]) }
      count += got
    }
    throw SecretFileError(description: "'\(path)' has more than \(bytesMaximum) bytes")
  }
}
