internal import Glibc

/// Where a service listens: a port of a host, with or without TLS, or a Unix socket.
public enum ServiceAddress: Sendable, Equatable, CustomStringConvertible {
  /// TCP: a name or an address, an IPv6 one without brackets.
  case tcp(host: String, port: UInt16)
  /// TLS over TCP; the certificate must be for this name or address.
  case tls(host: String, port: UInt16)
  /// The path of a Unix domain socket.
  case unix(path: String)

  /// Reads `unix:/path`, `http://host:port`, `https://host:port`, or `host:port`; `nil` for anything else.
  ///
  /// There may be a `/` at the end, but no path.
  ///
  /// - Parameter defaultPort: That of an address without one.
  public init?(_ url: String, port defaultPort: UInt16 = 31818) {
    if let path = url.dropping(prefix: "unix://") ?? url.dropping(prefix: "unix:") {
      guard path.hasPrefix("/"), path.utf8.count < 108, !path.utf8.contains(0) else { return nil }
      self = .unix(path: String(path))
      return
    }
    let secure = url.dropping(prefix: "https://")
    var rest = secure ?? url.dropping(prefix: "http://") ?? Substring(url)
    guard !rest.contains("://") else { return nil }
    if rest.hasSuffix("/") { rest.removeLast() }
    var portText: Substring?
    if rest.hasPrefix("[") {
      guard let end = rest.firstIndex(of: "]") else { return nil }
      let after = rest[rest.index(after: end)...]
      guard after.isEmpty || after.hasPrefix(":") else { return nil }
      if after.hasPrefix(":") { portText = after.dropFirst() }
      rest = rest[rest.index(after: rest.startIndex)..<end]
    } else if let colon = rest.firstIndex(of: ":") {
      portText = rest[rest.index(after: colon)...]
      rest = rest[..<colon]
    }
    let isName = rest.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
      case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: ":"): true
      default: byte == UInt8(ascii: "_")
      }
    }
    guard !rest.isEmpty, isName else { return nil }
    let port = portText.map { UInt16($0) ?? 0 } ?? defaultPort
    guard port > 0 else { return nil }
    self = secure == nil ? .tcp(host: String(rest), port: port) : .tls(host: String(rest), port: port)
  }

  /// The address as it may be given again.
  public var description: String {
    switch self {
    case .unix(let path): "unix:" + path
    case .tcp(let host, let port): "http://\(authority(host)):\(port)"
    case .tls(let host, let port): "https://\(authority(host)):\(port)"
    }
  }

  /// The text of the header `Host`.
  package var hostHeader: String {
    hostAndPort.map { "\(authority($0.host)):\($0.port)" } ?? "localhost"
  }

  /// The host and the port, with TLS or without; `nil` for a Unix socket.
  package var hostAndPort: (host: String, port: UInt16)? {
    switch self {
    case .unix: nil
    case .tcp(let host, let port), .tls(let host, let port): (host, port)
    }
  }

  private func authority(_ host: String) -> String { host.contains(":") ? "[\(host)]" : host }
}

extension ServiceAddress {
  /// The words of an errno of connect(2), and what the file of a socket adds to it.
  package func reason(of code: Int32) -> String {
    let text = String(cString: strerror(code))
    guard case .unix(let path) = self else { return text }
    var status = stat()
    guard stat(path, &status) == 0 else { return text }
    if status.st_mode & S_IFMT != S_IFSOCK { return "\(text): the file is no socket" }
    switch code {
    case EACCES:
      let group = getgrgid(status.st_gid).map { String(cString: $0.pointee.gr_name) } ?? "gid \(status.st_gid)"
      return "\(text): it is for group \(group), mode 0\(String(status.st_mode & 0o777, radix: 8))"
    case ECONNREFUSED: return "\(text): the service that made the socket has ended"
    default: return text
    }
  }
}

extension String {
  fileprivate func dropping(prefix: String) -> Substring? {
    hasPrefix(prefix) ? dropFirst(prefix.count) : nil
  }
}
