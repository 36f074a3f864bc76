/// The other side of connections: its address, and the authorities that vouch for it.
package struct HTTPPeer: Sendable {
  /// Where it listens.
  package var address: ServiceAddress
  /// Looked at where the address is one of TLS.
  package var trust: TLSTrust
  /// The time to connect, and to agree on TLS.
  package var patience = Duration.seconds(5)

  /// Names a peer.
  package init(_ address: ServiceAddress, trust: TLSTrust) {
    self.address = address
    self.trust = trust
  }
}

/// Why an exchange failed.
package enum HTTPFailure: Error, Equatable {
  case timedOut
  case aborted
  /// The name has no address, for this reason.
  case unknownHost(String)
  /// An errno; EPROTO for what is not HTTP, ECONNRESET for an answer that was cut off.
  case system(Int32)
  /// There is no TLS, for this reason.
  case tls(TLSTrouble)

  /// True where another address of the same name may do better.
  var mayBeOfOneAddress: Bool {
    switch self {
    case .timedOut, .system: true
    case .aborted, .unknownHost, .tls: false
    }
  }
}
