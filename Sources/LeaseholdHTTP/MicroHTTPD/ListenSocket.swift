import CMicroHTTPD
import Glibc
import LeaseholdHost

/// A listening socket, made here because libmicrohttpd makes no Unix sockets and tells no reasons.
struct ListenSocket: Sendable {
  let descriptor: Int32
  /// True when it came from outside, and others may hold it too.
  var inherited = false
  /// The socket file that is ours.
  var file: SocketFile?

  private static let backlog: Int32 = 4096

  /// Opens the endpoint, trying again for a while if the address is in use.
  static func open(_ options: ListenerOptions) throws(ServerError) -> ListenSocket {
    let deadline = HostClock.monotonic(after: options.bindRetry)
    while true {
      do throws(ServerError) {
        switch options.endpoint {
        case .tcp(let host, let port): return try tcp(host: host, port: port)
        case .unix(let path, let mode): return try unix(path: path, mode: mode)
        case .inherited(let descriptor): return try inherited(descriptor)
        }
      } catch {
        guard error.isInUse, HostClock.monotonic() < deadline else { throw error }
        HostClock.sleep(nanoseconds: 20_000_000)
      }
    }
  }

  /// The port of a TCP socket.
  ///
  /// The corresponding C function is `getsockname`.
  var port: UInt16? {
    withAddress { address, size in
      guard getsockname(descriptor, address, size) == 0 else { return nil }
      let family = Int32(address.pointee.sa_family)
      return family == AF_INET || family == AF_INET6 ? socketPort(address) : nil
    }
  }

  /// Closes the socket and removes its file.
  func close() {
    file?.remove()
    Glibc.close(descriptor)
  }

  private static func tcp(host: String, port: UInt16) throws(ServerError) -> ListenSocket {
    let name = ListenerOptions.Endpoint.tcp(host: host, port: port).description
    var hints = addrinfo()
    hints.ai_flags = AI_NUMERICHOST | AI_PASSIVE
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var found: UnsafeMutablePointer<addrinfo>?
    let literal = host == "localhost" ? "127.0.0.1" : String(host.trimmingBrackets())
    guard getaddrinfo(literal, String(port), &hints, &found) == 0, let address = found else {
      throw .badAddress(host)
    }
    defer { freeaddrinfo(found) }
    let descriptor = try make(address.pointee.ai_family, for: name)
    set(descriptor, SOL_SOCKET, SO_REUSEADDR)
    // Accepted sockets inherit it.
    set(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY)
    guard bind(descriptor, address.pointee.ai_addr, address.pointee.ai_addrlen) == 0 else {
      throw failed("bind", name, closing: descriptor)
    }
    guard listen(descriptor, backlog) == 0 else { throw failed("listen", name, closing: descriptor) }
    return ListenSocket(descriptor: descriptor)
  }

  private static func unix(path: String, mode: UInt32) throws(ServerError) -> ListenSocket {
    guard var address = sockaddr_un(path: path) else { throw .badPath(path) }
    try SocketFile.clearStale(path, &address)
    let descriptor = try make(AF_UNIX, for: path)
    let bound = address.withSocketAddress { bind(descriptor, $0, $1) }
    guard bound == 0 else { throw failed("bind", path, closing: descriptor) }
    // Before listen no program can connect, so none slips in ahead of the mode.
    guard chmod(path, mode) == 0, let file = SocketFile(path: path) else {
      throw failed("chmod", path, closing: descriptor)
    }
    guard listen(descriptor, backlog) == 0 else { throw failed("listen", path, closing: descriptor) }
    return ListenSocket(descriptor: descriptor, file: file)
  }

  private static func inherited(_ descriptor: Int32) throws(ServerError) -> ListenSocket {
    var listening: Int32 = 0
    var size = socklen_t(MemoryLayout<Int32>.size)
    guard getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0, listening != 0 else {
      throw .notListening(descriptor)
    }
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
    return ListenSocket(descriptor: descriptor, inherited: true)
  }

  private static func make(_ family: Int32, for place: String) throws(ServerError) -> Int32 {
    let type = SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue
    let descriptor = socket(family, Int32(type), 0)
    guard descriptor >= 0 else { throw .system("socket", place, errno) }
    return descriptor
  }

  private static func set(_ descriptor: Int32, _ level: Int32, _ option: Int32) {
    var on: Int32 = 1
    setsockopt(descriptor, level, option, &on, socklen_t(MemoryLayout<Int32>.size))
  }

  private static func failed(_ call: String, _ what: String, closing descriptor: Int32) -> ServerError {
    let reason = errno
    Glibc.close(descriptor)
    return switch reason {
    case EADDRINUSE: .addressInUse(what)
    case EACCES, EPERM: .permissionDenied(what)
    case EADDRNOTAVAIL: .badAddress(what)
    case ENOENT, ENOTDIR: .noFolder(what)
    default: .system(call, what, reason)
    }
  }
}

/// Runs `body` with room for any socket address.
func withAddress<Result>(
  _ body: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Result
) -> Result {
  var storage = sockaddr_storage()
  var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
  return withUnsafeMutablePointer(to: &storage) {
    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, &size) }
  }
}

extension String {
  fileprivate func trimmingBrackets() -> Substring {
    hasPrefix("[") && hasSuffix("]") ? dropFirst().dropLast() : self[...]
  }
}
