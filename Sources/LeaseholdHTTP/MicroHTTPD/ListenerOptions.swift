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
