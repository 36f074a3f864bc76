internal import Glibc

/// An address as the kernel takes it.
package struct SocketName: Sendable {
  /// Such as AF_UNIX.
  package let family: Int32
  /// A `sockaddr` of that family.
  package let bytes: [UInt8]
}

extension ServiceAddress {
  /// What to connect to, in order; none when the name is unknown.
  package var candidates: [SocketName] {
    switch self {
    case .unix(let path):
      var name = sockaddr_un()
      name.sun_family = sa_family_t(AF_UNIX)
      withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: path.utf8.prefix(107)) }
      return [SocketName(family: AF_UNIX, bytes: withUnsafeBytes(of: &name) { Array($0) })]
    case .tcp(let host, let port), .tls(let host, let port):
      var hints = addrinfo()
      hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
      hints.ai_flags = AI_NUMERICSERV
      var list: UnsafeMutablePointer<addrinfo>?
      guard getaddrinfo(host, "\(port)", &hints, &list) == 0 else { return [] }
      defer { freeaddrinfo(list) }
      var names: [SocketName] = []
      var entry = list
      while let info = entry?.pointee {
        let bytes = Array(UnsafeRawBufferPointer(start: info.ai_addr, count: Int(info.ai_addrlen)))
        names.append(SocketName(family: info.ai_family, bytes: bytes))
        entry = info.ai_next
      }
      return names
    }
  }
}
