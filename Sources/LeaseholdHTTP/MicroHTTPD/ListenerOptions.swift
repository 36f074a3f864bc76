import Glibc

/// Where a listener listens, and its limits.
struct ListenerOptions: Sendable {
  /// The socket of a listener.
  enum Endpoint: Sendable, CustomStringConvertible {
    /// An IPv4 or IPv6 literal, or "localhost" (which is 127.0.0.1), and a port; port 0 takes a free one.
    case tcp(host: String, port: UInt16)
    /// A path of at most 107 bytes, and the mode of the socket file.
    case unix(path: String, mode: UInt32)
    /// A listening socket that another program made, as systemd does.
    case inherited(descriptor: Int32)

    /// The place as errors name it: host and port, or the path.
    var description: String {
      switch self {
      case .tcp(let host, let port):
        host.contains(":") && !host.hasPrefix("[") ? "[\(host)]:\(port)" : "\(host):\(port)"
      case .unix(let path, _): path
      case .inherited(let descriptor): "descriptor \(descriptor) of the service manager"
      }
    }
  }

  /// Where to listen.
  var endpoint: Endpoint
  /// Threads that serve connections; each keeps the connections it accepted.
  var threads = 1
  /// Connections at a time, all threads together; of more, a few are told so.
  var connectionLimit = 10_000
  /// Memory for one connection's request head and answer head, in bytes.
  var connectionMemoryBytes = 16 * 1024
  /// Seconds without a whole request before a connection closes; 0 is never.
  ///
  /// Waiting for an answer does not count.
  var idleTimeoutSeconds = 60.0
  /// Seconds from accept to the head of the first request; no longer than the idle timeout.
  var firstRequestTimeoutSeconds = 10.0
  /// The longest body that is kept.
  var maxBodyBytes = 64 * 1024
  /// The longest path and query together.
  var maxTargetBytes = 8 * 1024
  /// The time for which to try again while the port is in use; zero reports at once.
  var bindRetry = Duration.zero

  /// Serve HTTPS with it; `nil` for plain HTTP.
  var certificate: Certificate?

  /// Options with the usual limits.
  init(_ endpoint: Endpoint) { self.endpoint = endpoint }
}

/// Why a listener cannot start; each names its place, and says what to do.
enum ListenError: Error, Equatable, CustomStringConvertible {
  /// Another process listens there, or did a moment ago.
  case addressInUse(String)
  /// The host is neither a literal address of this machine nor "localhost".
  case badAddress(String)
  /// A port below 1024, or a directory that this user may not write.
  case permissionDenied(String)
  /// The folder of the socket is not there, or is none.
  case noFolder(path: String)
  /// There is something at the path that is no socket.
  case pathExists(String)
  /// The path is empty, or longer than 107 bytes.
  case badPath(String)
  /// The inherited descriptor is no listening stream socket.
  case notListening(Int32)
  /// Anything else the kernel refuses.
  case system(call: String, place: String, errno: Int32)
  /// libmicrohttpd did not start.
  case daemonRefused(place: String)

  var description: String {
    switch self {
    case .addressInUse(let place):
      "\(place) is in use by another process: stop it (ss -lptn, ss -lpx), or give another --port or --unix"
    case .badAddress(let host): "'\(host)' is no IPv4 or IPv6 address of this machine, and not 'localhost'"
    case .permissionDenied(let place):
      place.hasPrefix("/")
        ? "no permission to make the socket \(place): uid \(geteuid()) must be able to write its folder"
        : "no permission to listen on \(place): ports below 1024 need CAP_NET_BIND_SERVICE"
    case .noFolder(let path):
      "the socket \(path) cannot be made: its folder is not there; make it (mkdir -p), or give another --unix"
    case .pathExists(let path): "\(path) exists and is not a socket: remove it, or give another --unix"
    case .badPath(let path): "'\(path)' is no path for a socket: it must have 1 to 107 bytes"
    case .notListening(let descriptor): "descriptor \(descriptor) is not a listening stream socket"
    case .system(let call, let place, let errno):
      "cannot listen on \(place): \(call) failed: \(errnoText(errno))\(Self.advice(errno))"
    case .daemonRefused(let place):
      "cannot listen on \(place): libmicrohttpd did not start; no thread or descriptor may be left (ulimit -u, -n)"
    }
  }

  private static func advice(_ errno: Int32) -> String {
    switch errno {
    case EMFILE, ENFILE: "; raise the limit of open files (ulimit -n, LimitNOFILE=, fs.file-max)"
    case EAFNOSUPPORT: "; this host has no such addresses (IPv6 may be switched off)"
    case EROFS: "; the file system is read-only"
    case ENOSPC, EDQUOT: "; the disk is full"
    default: ""
    }
  }
}
