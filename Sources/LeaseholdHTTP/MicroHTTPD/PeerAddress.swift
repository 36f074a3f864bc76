import CMicroHTTPD
import Glibc
import Leasehold

extension Peer {
  /// Reads the peer of an accepted socket: its address, or for a Unix socket what the kernel vouches for at the time of
  /// its `connect` (SO_PEERCRED).
  init(_ address: UnsafePointer<sockaddr>?, descriptor: Int32) {
    let bytes = UnsafeRawPointer(address)
    switch (Int32(address?.pointee.sa_family ?? sa_family_t(AF_UNIX)), bytes) {
    case (AF_INET, let bytes?):
      self = .ipv4(
        UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self)), port: socketPort(bytes))
    case (AF_INET6, let bytes?):
      self = .ipv6(
        UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)),
        UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self)), port: socketPort(bytes))
    default:
      // The kernel's `struct ucred`, which Swift's Glibc module leaves out.
      var credentials: (pid: Int32, uid: UInt32, gid: UInt32) = (0, UInt32.max, UInt32.max)
      var size = socklen_t(12)
      getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &size)
      self = .local(pid: credentials.pid, uid: credentials.uid, gid: credentials.gid)
    }
  }

  /// True on a Unix socket.
  var isLocal: Bool { if case .local = self { true } else { false } }

  /// The supplementary groups that the peer of a Unix socket had when it connected.
  ///
  /// The corresponding C function is `getsockopt` with SO_PEERGROUPS (Linux 4.13 and later).
  func groups(_ descriptor: Int32) -> [UInt32] {
    guard let uid, uid != 0 else { return [] }
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

/// The port in an address of family AF_INET or AF_INET6, which have it in the same place.
func socketPort(_ address: UnsafeRawPointer) -> UInt16 {
  UInt16(bigEndian: address.loadUnaligned(fromByteOffset: 2, as: UInt16.self))
}
