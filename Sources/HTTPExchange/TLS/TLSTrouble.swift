internal import CGnuTLS
internal import Glibc

/// Why there is no TLS with a service, and what to do about it.
package struct TLSTrouble: Equatable, Sendable {
  /// One line, for people.
  package let text: String
  /// True where what listens there speaks something else.
  package let isForeign: Bool

  init(_ text: String, isForeign: Bool = false) {
    self.text = text
    self.isForeign = isForeign
  }

  /// There was no answer, as from a service that waits for the rest of a request of plain HTTP.
  static let silence = TLSTrouble(
    "it does not answer as TLS does; if it speaks plain HTTP, give an address with http://", isForeign: true)

  /// The trouble that a status of the library means.
  init(_ status: Int32, _ session: gnutls_session_t, _ peer: HTTPPeer) {
    switch status {
    case GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR, GNUTLS_E_CERTIFICATE_ERROR:
      self.init(Self.certificate(session, peer))
    case GNUTLS_E_UNEXPECTED_PACKET_LENGTH, GNUTLS_E_UNSUPPORTED_VERSION_PACKET, GNUTLS_E_UNEXPECTED_PACKET,
      GNUTLS_E_RECORD_OVERFLOW, GNUTLS_E_PREMATURE_TERMINATION, GNUTLS_E_PULL_ERROR, GNUTLS_E_PUSH_ERROR:
      self.init(
        "what listens there does not speak TLS; if it speaks plain HTTP, give an address with http://",
        isForeign: true)
    case GNUTLS_E_FATAL_ALERT_RECEIVED:
      let alert = gnutls_alert_get_name(gnutls_alert_get(session)).map { String(cString: $0) } ?? "an unknown one"
      self.init("it ended TLS with an alert: \(alert)")
    default: self.init(String(cString: gnutls_strerror(status)))
    }
  }

  /// All that is wrong with the certificate that the service has shown.
  private static func certificate(_ session: gnutls_session_t, _ peer: HTTPPeer) -> String {
    let status = gnutls_session_get_verify_cert_status(session)
    func has(_ flag: gnutls_certificate_status_t) -> Bool { status & flag.rawValue != 0 }
    var reasons: [String] = []
    if has(GNUTLS_CERT_SIGNER_NOT_FOUND) || has(GNUTLS_CERT_SIGNER_NOT_CA) {
      reasons.append(
        peer.authorities != nil
          ? "no certificate of \(peer.setting) vouches for the service's: name the file of its own CA"
          : "nobody whom this system trusts vouches for its certificate: name its CA with \(peer.setting)")
    }
    if has(GNUTLS_CERT_EXPIRED) {
      reasons.append("its certificate has expired: renew it and restart the service, or mend this host's clock")
    }
    if has(GNUTLS_CERT_NOT_ACTIVATED) {
      reasons.append("its certificate is not valid yet: see whether this host's clock is right")
    }
    if has(GNUTLS_CERT_UNEXPECTED_OWNER) {
      let names = names(session)
      reasons.append(
        "its certificate is not for '\(peer.address.hostAndPort?.host ?? "")'"
          + (names.isEmpty ? "" : " but for \(names.joined(separator: ", ")): use such a name in the address"))
    }
    if has(GNUTLS_CERT_REVOKED) { reasons.append("its certificate was revoked") }
    if has(GNUTLS_CERT_INSECURE_ALGORITHM) { reasons.append("its certificate is signed in a way that is not safe") }
    if has(GNUTLS_CERT_SIGNATURE_FAILURE) { reasons.append("the signature of its certificate is wrong") }
    return reasons.isEmpty ? "its certificate is not valid" : reasons.joined(separator: "; and ")
  }

  /// The first of the names and addresses that the certificate is for.
  private static func names(_ session: gnutls_session_t) -> [String] {
    var count: UInt32 = 0
    guard let chain = gnutls_certificate_get_peers(session, &count), count > 0 else { return [] }
    var made: gnutls_x509_crt_t?
    guard gnutls_x509_crt_init(&made) == 0, let made else { return [] }
    defer { gnutls_x509_crt_deinit(made) }
    guard gnutls_x509_crt_import(made, chain, GNUTLS_X509_FMT_DER) == 0 else { return [] }
    var names: [String] = []
    var bytes = [UInt8](repeating: 0, count: 256)
    for index in 0..<UInt32(8) {
      var size = bytes.count
      let kind = gnutls_x509_crt_get_subject_alt_name(made, index, &bytes, &size, nil)
      if kind == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE { break }
      if kind == Int32(GNUTLS_SAN_DNSNAME.rawValue) {
        names.append(printable(bytes[..<size]))
      } else if kind == Int32(GNUTLS_SAN_IPADDRESS.rawValue), size == 4 || size == 16 {
        var text = [CChar](repeating: 0, count: 64)
        inet_ntop(size == 4 ? AF_INET : AF_INET6, bytes, &text, socklen_t(text.count))
        names.append(printable(text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }[...]))
      }
    }
    return names
  }

  /// A certificate may say anything, and this goes to a terminal.
  private static func printable(_ bytes: ArraySlice<UInt8>) -> String {
    String(decoding: bytes.map { (0x21...0x7e).contains($0) ? $0 : UInt8(ascii: "?") }, as: UTF8.self)
  }
}
