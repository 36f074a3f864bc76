/// The authorities that vouch for a peer of TLS, and what this side shows of itself.
package struct TLSTrust: Sendable {
  /// A file in PEM with the certificates that vouch for the peer's; `nil` for those that this system trusts.
  package var authorities: String?
  /// The settings that name that file, for errors: such as `--cacert or LEASEHOLD_CACERT`.
  package var setting: String
  /// The files, in PEM, of a certificate that is shown to the peer, and of its key; they are read for each connection.
  package var certificate: (file: String, key: String)?

  /// Trusts the authorities that the system trusts, and shows nothing.
  package init(authorities: String? = nil, setting: String) {
    self.authorities = authorities
    self.setting = setting
  }
}
