/// The other side of connections: its address, the authorities that vouch for it, and what this side shows of itself.
package struct HTTPPeer: Sendable {
  /// Where it listens; what follows is for addresses of TLS.
  package var address: ServiceAddress
  /// A file in PEM with the certificates that vouch for the peer's; `nil` for those that this system trusts.
  package var authorities: String?
  /// The settings that name that file, for errors: such as `--cacert or LEASEHOLD_CACERT`.
  package var setting: String
  /// The files, in PEM, of a certificate that is shown to the peer, and of its key; they are read for each connection.
  package var certificate: (file: String, key: String)?
  /// The time to connect, and to agree on TLS.
  package var patience = Duration.seconds(5)

  /// Names a peer, to which nothing is shown.
  package init(_ address: ServiceAddress, authorities: String? = nil, setting: String) {
    (self.address, self.authorities, self.setting) = (address, authorities, setting)
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
}
