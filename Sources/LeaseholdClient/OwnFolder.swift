internal import Glibc
public import HTTPExchange
internal import LeaseholdHost

/// The folder of a user's own service, with its socket: where no other user can put another.
public struct OwnFolder: Sendable, Equatable {
  /// Its path.
  public let path: String

  /// The folder of the user this process runs as: below `$XDG_RUNTIME_DIR` where that is the user's, else
  /// `/tmp/leasehold-UID`.
  public static var current: OwnFolder {
    let name = "leasehold"
    if let runtime = Environment.value("XDG_RUNTIME_DIR"), runtime.hasPrefix("/"),
      isOwn(runtime), runtime.utf8.count + name.utf8.count + socketName.utf8.count + 2 < 108
    {
      return OwnFolder(path: "\(runtime)/\(name)")
    }
    return OwnFolder(path: "/tmp/\(name)-\(geteuid())")
  }

  private static let socketName = "leasehold.sock"

  /// The path of the socket.
  public var socket: String { "\(path)/\(Self.socketName)" }

  /// Makes the folder where it is missing.
  ///
  /// - Throws: ``ClientError/unsafeFolder(_:reason:)`` when it cannot be made, or others may put something there.
  public func make() throws(ClientError) {
    let failed = mkdir(path, 0o700) == 0 || errno == EEXIST ? nil : errno
    if let failed { throw .unsafeFolder(path, reason: String(cString: strerror(failed))) }
    guard isSafe else {
      throw .unsafeFolder(path, reason: "it is not a folder of uid \(geteuid()) that is closed to others (mode 0700)")
    }
  }

  /// True when it is there, and the user's alone.
  public var isSafe: Bool { Self.isOwn(path) }

  /// True when a service takes connections there.
  public var answers: Bool {
    guard isSafe, access(socket, F_OK) == 0 else { return false }
    return ServiceAddress.unix(path: socket).accepts
  }

  private static func isOwn(_ folder: String) -> Bool {
    var status = stat()
    guard lstat(folder, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else { return false }
    return status.st_uid == geteuid() && status.st_mode & 0o077 == 0
  }
}

extension ServiceAddress {
  /// The socket of the service that the Debian package installs.
  public static let system = ServiceAddress.unix(path: "/run/leasehold/leasehold.sock")

  /// Where a service is that nobody has named: the first of the system's socket, the user's own, and ``standard``.
  ///
  /// The system's socket counts where it is, even if it cannot be used: no other service may take its place unseen.
  public static func found() -> ServiceAddress {
    if case .unix(let path) = system {
      var status = stat()
      if stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK { return system }
    }
    let own = OwnFolder.current
    return own.answers ? .unix(path: own.socket) : .standard
  }

  /// True when a service takes connections there.
  public var accepts: Bool {
    let connection = HTTPConnection(ServiceEndpoint(self).peer)
    return (try? connection.open(before: HostClock.monotonic(after: .seconds(2)))) != nil
  }
}
