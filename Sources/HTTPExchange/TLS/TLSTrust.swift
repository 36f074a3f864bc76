/// The authorities that vouch for a peer of TLS, and what this side shows of itself.
package struct TLSTrust: Sendable, Equatable {
  /// A file in PEM with the certificates that vouch for the peer's; `nil` for those that this system trusts.
  package var authorities: String?
  /// The settings that name that file, for errors: such as `--cacert or LEASEHOLD_CACERT`.
  package var setting: String
  /// A certificate that is shown to the peer, with its key; `nil` for none.
  package var certificate: OwnCertificate?

  /// Trusts the authorities that the system trusts, and shows nothing.
  package init(authorities: String? = nil, setting: String, certificate: OwnCertificate? = nil) {
    self.authorities = authorities
    self.setting = setting
    self.certificate = certificate
  }
}

/// The files, in PEM, of a certificate and of its key.
package struct OwnCertificate: Sendable, Equatable {
  /// The certificate, and those that vouch for it.
  package var file: String
  /// Its private key.
  package var key: String

  /// Names the files; they are read for each connection.
  package init(file: String, key: String) {
    self.file = file
    self.key = key
  }
}
