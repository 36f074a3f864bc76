internal import Glibc

/// Where a service listens: a port of a host, with or without TLS, or a Unix socket.
public enum ServiceAddress: Sendable, Equatable, CustomStringConvertible {
  /// TCP: a name or an address, an IPv6 one without brackets.
  case tcp(host: String, port: UInt16)
  /// TLS over TCP; the certificate must be for this name or address.
  case tls(host: String, port: UInt16)
  /// The path of a Unix domain socket.
  case unix(path: String)

  /// Where a service listens that was told nothing else.
  public static let standard = ServiceAddress.tcp(host: "127.0.0.1", port: 31818)

  /// Reads `unix:/path`, `http://host:port`, `https://host:port`, or `host:port`; `nil` for anything else.
  ///
  /// Without a port it is 31818. There may be a `/` at the end, but no path.
  public init?(_ url: String) {
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
    let port = portText.map { UInt16($0) ?? 0 } ?? 31818
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

  /// What goes into the header `Host`.
  var hostHeader: String {
    switch self {
    case .unix: "localhost"
    case .tcp(let host, let port), .tls(let host, let port): "\(authority(host)):\(port)"
    }
  }

  private func authority(_ host: String) -> String { host.contains(":") ? "[\(host)]" : host }
}

/// Where the service is and who asks.
public struct ServiceEndpoint: Sendable, Equatable {
  /// Where it listens.
  public var address: ServiceAddress
  /// Sent as `Authorization: Bearer`.
  public var token: String?
  /// A file in PEM with the certificates that vouch for a service of https, in place of those that this system trusts.
  public var authorities: String?
  /// The header of that name of requests that have none of their own: the trace they are a part of (W3C Trace Context).
  public var traceparent: String?

  /// Names a service.
  public init(_ address: ServiceAddress = .standard, token: String? = nil) {
    self.address = address
    self.token = token
  }

  /// What `LEASEHOLD_URL`, `LEASEHOLD_TOKEN` and `LEASEHOLD_CACERT` say; without an address, the service that
  /// ``ServiceAddress/found()`` finds.
  ///
  /// - Throws: ``ClientError/badAddress(_:)`` when the URL is none.
  public static func fromEnvironment() throws(ClientError) -> ServiceEndpoint {
    func value(_ name: String) -> String? {
      getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
    }
    var endpoint = ServiceEndpoint(token: value("LEASEHOLD_TOKEN"))
    endpoint.authorities = value("LEASEHOLD_CACERT")
    guard let url = value("LEASEHOLD_URL") else {
      endpoint.address = .found()
      return endpoint
    }
    guard let address = ServiceAddress(url) else { throw .badAddress(url) }
    endpoint.address = address
    return endpoint
  }
}

extension String {
  func dropping(prefix: String) -> Substring? {
    hasPrefix(prefix) ? dropFirst(prefix.count) : nil
  }
}
