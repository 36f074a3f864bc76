import Glibc
import Leasehold

extension TCPAddress {
  /// The address as the lock service knows peers.
  var known: Peer {
    withUnsafeBytes(of: storage) { bytes in
      switch Int32(storage.sin6_family) {
      case AF_INET:
        .ipv4(UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self)), port: port)
      case AF_INET6:
        .ipv6(
          UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)),
          UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self)), port: port)
      default: .unknown
      }
    }
  }
}

extension PeerConnection {
  /// The peer, as the lock service knows peers.
  var knownPeer: Peer {
    switch peer {
    case .unix(let pid, let uid, let gid): .local(pid: pid, uid: uid, gid: gid)
    case .tcp(let address): address.known
    }
  }
}
