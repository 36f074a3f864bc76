/// Where a listener listens, and its limits.
struct ListenerOptions: Sendable {
  /// The socket of a listener.
  enum Endpoint: Sendable {
    /// An IPv4 or IPv6 literal, or "localhost" (which is 127.0.0.1), and a port; port 0 takes a free one.
    case tcp(host: String, port: UInt16)
    /// A path of at most 107 bytes, and the mode of the socket file.
    case unix(path: String, mode: UInt32)
    /// A listening socket that somebody else made, as systemd does.
    case inherited(descriptor: Int32)
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
  /// How long to try again while the port is in use; zero reports at once.
  var bindRetry = Duration.zero

  /// Serve HTTPS with it; `nil` for plain HTTP.
  var certificate: Certificate?

  /// Options with the usual limits.
  init(_ endpoint: Endpoint) { self.endpoint = endpoint }
}

/// Why a listener cannot start.
enum ListenError: Error, Equatable, CustomStringConvertible {
  /// Another process listens there, or did a moment ago.
  case addressInUse(String)
  /// The host is neither a literal address of this machine nor "localhost".
  case badAddress(String)
  /// A port below 1024, or a directory that this user may not write.
  case permissionDenied(String)
  /// There is something at the path that is no socket.
  case pathExists(String)
  /// The path is empty, or longer than 107 bytes.
  case badPath(String)
  /// The inherited descriptor is no listening stream socket.
  case notListening(Int32)
  /// Anything else the kernel refuses.
  case system(call: String, errno: Int32)
  /// libmicrohttpd did not start.
  case daemonRefused

  var description: String {
    switch self {
    case .addressInUse(let what): "\(what) is in use by another process"
    case .badAddress(let host): "'\(host)' is no IPv4 or IPv6 address of this machine, and not 'localhost'"
    case .permissionDenied(let what): "no permission to listen on \(what)"
    case .pathExists(let path): "\(path) exists and is not a socket"
    case .badPath(let path): "'\(path)' is no path for a socket: it must have 1 to 107 bytes"
    case .notListening(let descriptor): "descriptor \(descriptor) is not a listening stream socket"
    case .system(let call, let errno): "\(call) failed: \(errnoText(errno))"
    case .daemonRefused: "libmicrohttpd did not start"
    }
  }
}
