import CMicroHTTPD
import Glibc

/// The peer's address of a connection.
enum PeerAddress: Sendable {
  /// A TCP peer; the address is rendered only when it is asked for.
  case tcp(TCPAddress)
  /// A peer on the Unix socket, as the kernel vouches for it at the time of its `connect`.
  case unix(pid: Int32, uid: UInt32, gid: UInt32)

  /// Reads the peer of an accepted socket; `SO_PEERCRED` for a Unix socket.
  init(_ address: UnsafePointer<sockaddr>?, descriptor: Int32) {
    switch Int32(address?.pointee.sa_family ?? sa_family_t(AF_UNIX)) {
    case AF_INET, AF_INET6:
      self = .tcp(TCPAddress(address))
    default:
      // The kernel's `struct ucred`, which Swift's Glibc module leaves out.
      var credentials: (pid: Int32, uid: UInt32, gid: UInt32) = (0, UInt32.max, UInt32.max)
      var size = socklen_t(12)
      getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &size)
      self = .unix(pid: credentials.pid, uid: credentials.uid, gid: credentials.gid)
    }
  }
}

extension PeerAddress {
  /// The supplementary groups that the peer of a Unix socket had when it connected.
  ///
  /// The corresponding C function is `getsockopt` with SO_PEERGROUPS (Linux 4.13 and later).
  func groups(_ descriptor: Int32) -> [UInt32] {
    guard case .unix(_, let uid, _) = self, uid != 0 else { return [] }
    let option: Int32 = 59
    var groups = [UInt32](repeating: 0, count: 32)
    while true {
      var size = socklen_t(groups.count * 4)
      if getsockopt(descriptor, SOL_SOCKET, option, &groups, &size) == 0 { return Array(groups.prefix(Int(size) / 4)) }
      guard errno == ERANGE, Int(size) / 4 > groups.count else { return [] }
      groups = [UInt32](repeating: 0, count: Int(size) / 4)
    }
  }
}

/// An IPv4 or IPv6 address with its port.
struct TCPAddress: Sendable, CustomStringConvertible {
  private(set) var storage = sockaddr_in6()

  /// Copies an address of family AF_INET or AF_INET6.
  init(_ address: UnsafePointer<sockaddr>?) {
    guard let address else { return }
    let size =
      Int32(address.pointee.sa_family) == AF_INET6
      ? MemoryLayout<sockaddr_in6>.size : MemoryLayout<sockaddr_in>.size
    withUnsafeMutableBytes(of: &storage) { $0.copyMemory(from: UnsafeRawBufferPointer(start: address, count: size)) }
  }

  /// The port, 0...65535.
  var port: UInt16 { UInt16(bigEndian: storage.sin6_port) }

  /// "127.0.0.1:5555", or "[::1]:5555".
  ///
  /// The corresponding C function is `inet_ntop`.
  var description: String {
    withUnsafeBytes(of: storage) { bytes in
      let family = Int32(storage.sin6_family)
      guard family == AF_INET || family == AF_INET6, let base = bytes.baseAddress else { return "?" }
      let address = base + (family == AF_INET6 ? 8 : 4)
      let text = withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { buffer in
        inet_ntop(family, address, buffer.baseAddress, 64).map { String(cString: $0) } ?? "?"
      }
      return family == AF_INET6 ? "[\(text)]:\(port)" : "\(text):\(port)"
    }
  }
}
