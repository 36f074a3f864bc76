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

extension Exchange {
  /// The lease that this exchange's answer hands over; undone if the answer cannot be delivered.
  var grant: LeaseID? {
    get { ticket == (0, 0) ? nil : LeaseID(high: ticket.0, low: ticket.1) }
    set { ticket = newValue.map { ($0.high, $0.low) } ?? (0, 0) }
  }
}
