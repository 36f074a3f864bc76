import CMicroHTTPD
import Glibc

/// The file of a Unix socket that this process made.
struct SocketFile: Equatable, Sendable {
  let path: String
  private let device: dev_t
  private let inode: ino_t

  /// Notes which file is ours.
  ///
  /// The corresponding C function is `lstat`.
  init?(path: String) {
    var status = stat()
    guard lstat(path, &status) == 0 else { return nil }
    self.path = path
    self.device = status.st_dev
    self.inode = status.st_ino
  }

  /// Removes the file unless another one has taken its place.
  ///
  /// The corresponding C function is `unlink`.
  func remove() { if SocketFile(path: path) == self { unlink(path) } }

  /// Removes the socket of a server that is gone; one that answers is an error, and so is anything but a socket.
  static func clearStale(_ path: String, _ address: inout sockaddr_un) throws(ServerError) {
    var status = stat()
    guard lstat(path, &status) == 0 else {
      if errno == ENOENT || errno == ENOTDIR { return }
      throw errno == EACCES ? .permissionDenied(path) : .system("lstat", path, errno)
    }
    guard status.st_mode & S_IFMT == S_IFSOCK else { throw .pathExists(path) }
    let probe = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
    guard probe >= 0 else { throw .system("socket", path, errno) }
    defer { close(probe) }
    let connected = address.withSocketAddress { connect(probe, $0, $1) }
    // EAGAIN: a server listens and its queue is full. EACCES: another user's file, which we could not replace either.
    guard connected != 0, errno == ECONNREFUSED else {
      throw connected != 0 && errno == EACCES ? .permissionDenied(path) : .addressInUse(path)
    }
    guard unlink(path) == 0 || errno == ENOENT else { throw .permissionDenied(path) }
  }
}

extension sockaddr_un {
  /// The address of a path; `nil` where the path does not fit.
  init?(path: String) {
    self.init()
    sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8)
    let fits = withUnsafeMutableBytes(of: &sun_path) { room in
      guard !bytes.isEmpty, bytes.count < room.count, !bytes.contains(0) else { return false }
      room.copyBytes(from: bytes)
      return true
    }
    guard fits else { return nil }
  }

  /// Runs `body` with the address as the socket functions want it.
  mutating func withSocketAddress<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
    withUnsafePointer(to: &self) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
    }
  }
}

/// An error number as text, "Permission denied".
///
/// The corresponding C function is `strerror_r`.
func errnoText(_ number: Int32) -> String {
  withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
    guard let base = buffer.baseAddress, strerror_r(number, base, 256) == 0 else { return "error \(number)" }
    return String(cString: base)
  }
}
