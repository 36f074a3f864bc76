import Glibc

/// Why the server could not listen; says where and what to do.
public struct ServerError: Error, Equatable, CustomStringConvertible, Sendable {
  /// One sentence.
  public let description: String
  /// True when another process has the address.
  public internal(set) var isInUse = false
  /// True when a file that the settings name cannot be used.
  public internal(set) var isConfiguration = false
}

extension ServerError {
  /// Another process listens there, or did a moment ago.
  static func addressInUse(_ place: String) -> ServerError {
    let advice = "stop it (ss -lptn, ss -lpx), or give another --port or --unix"
    return ServerError(description: "\(place) is in use by another process: \(advice)", isInUse: true)
  }

  /// The host is neither a literal address of this machine nor "localhost".
  static func badAddress(_ host: String) -> ServerError {
    ServerError(description: "'\(host)' is no IPv4 or IPv6 address of this machine, and not 'localhost'")
  }

  /// A port below 1024, or a directory that this user may not write.
  static func permissionDenied(_ place: String) -> ServerError {
    ServerError(
      description: place.hasPrefix("/")
        ? "no permission to make the socket \(place): uid \(geteuid()) must be able to write its folder"
        : "no permission to listen on \(place): ports below 1024 need CAP_NET_BIND_SERVICE")
  }

  /// The folder of the socket is not there, or is none.
  static func noFolder(_ path: String) -> ServerError {
    let advice = "make it (mkdir -p), or give another --unix"
    return ServerError(description: "the socket \(path) cannot be made: its folder is not there; \(advice)")
  }

  /// There is something at the path that is no socket.
  static func pathExists(_ path: String) -> ServerError {
    ServerError(description: "\(path) exists and is not a socket: remove it, or give another --unix")
  }

  /// The path is empty, or longer than 107 bytes.
  static func badPath(_ path: String) -> ServerError {
    ServerError(description: "'\(path)' is no path for a socket: it must have 1 to 107 bytes")
  }

  /// The inherited descriptor is no listening stream socket.
  static func notListening(_ descriptor: Int32) -> ServerError {
    ServerError(description: "descriptor \(descriptor) is not a listening stream socket")
  }

  /// Anything else the kernel refuses.
  static func system(_ call: String, _ place: String, _ errno: Int32) -> ServerError {
    let advice =
      switch errno {
      case EMFILE, ENFILE: "; raise the limit of open files (ulimit -n, LimitNOFILE=, fs.file-max)"
      case EAFNOSUPPORT: "; this host has no such addresses (IPv6 may be switched off)"
      case EROFS: "; the file system is read-only"
      case ENOSPC, EDQUOT: "; the disk is full"
      default: ""
      }
    return ServerError(description: "cannot listen on \(place): \(call) failed: \(errnoText(errno))\(advice)")
  }

  /// libmicrohttpd did not start.
  static func daemonRefused(_ place: String) -> ServerError {
    let advice = "no thread or descriptor may be left (ulimit -u, -n)"
    return ServerError(description: "cannot listen on \(place): libmicrohttpd did not start; \(advice)")
  }
}
