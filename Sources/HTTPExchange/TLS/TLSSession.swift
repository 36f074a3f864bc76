internal import CGnuTLS
internal import Glibc

/// TLS 1.2 or 1.3 over a connected socket that does not block, with a peer whose certificate has been looked at.
///
/// For one thread at a time. A call that would block gives `nil`, and is to be made again, with the same bytes.
final class TLSSession: @unchecked Sendable {
  private let session: gnutls_session_t
  private let credentials: gnutls_certificate_credentials_t
  private let peer: HTTPPeer
  /// The library keeps a pointer to the name, not the name.
  private let hostText: UnsafeMutablePointer<CChar>
  private var isEstablished = false
  private var early: [UInt8] = []

  /// Prepares a session with the host of a name or an address.
  ///
  /// - Parameter descriptor: The socket; its maker closes it, after this is gone.
  init(_ descriptor: Int32, host: String, peer: HTTPPeer) throws(HTTPFailure) {
    let credentials = try Self.credentials(peer)
    var made: gnutls_session_t?
    let flags = UInt32(GNUTLS_CLIENT) | UInt32(GNUTLS_NONBLOCK) | UInt32(GNUTLS_NO_SIGNAL) | UInt32(GNUTLS_NO_TICKETS)
    guard let hostText = strdup(host), gnutls_init(&made, flags) == 0, let made else {
      gnutls_certificate_free_credentials(credentials)
      throw .tls(TLSTrouble("there is no memory for a TLS session"))
    }
    (session, self.credentials, self.peer, self.hostText) = (made, credentials, peer, hostText)
    gnutls_set_default_priority_append(session, "-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2", nil, 0)
    gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, UnsafeMutableRawPointer(credentials))
    // A name, not an address, may be told to the other side before it shows its certificate (RFC 6066, 3).
    if !Self.isAddress(host) { gnutls_server_name_set(session, GNUTLS_NAME_DNS, host, host.utf8.count) }
    gnutls_session_set_verify_cert(session, hostText, 0)
    gnutls_transport_set_int2(session, descriptor, descriptor)
  }

  deinit {
    gnutls_deinit(session)
    gnutls_certificate_free_credentials(credentials)
    free(hostText)
  }

  /// Says that nothing more will be sent; before the socket is closed.
  func end() {
    if isEstablished { gnutls_bye(session, GNUTLS_SHUT_WR) }
    isEstablished = false
  }

  /// Agrees on keys, and looks at the certificate: its names, its end, and the authorities that vouch for it.
  func shakeHands() throws(HTTPFailure) -> Void? {
    while true {
      let status = gnutls_handshake(session)
      if status == 0 {
        isEstablished = true
        return ()
      }
      if status == GNUTLS_E_AGAIN { return nil }
      if gnutls_error_is_fatal(status) != 0 { throw .tls(TLSTrouble(status, session, peer)) }
    }
  }

  /// Sends what there is room for, at least a byte, and says how many.
  func send(_ bytes: ArraySlice<UInt8>) throws(HTTPFailure) -> Int? {
    while true {
      let count = bytes.withUnsafeBytes { gnutls_record_send(session, $0.baseAddress, $0.count) }
      if count >= 0 { return count }
      if try isBlocked(Int32(count)) { return nil }
    }
  }

  /// Receives what is there, at least a byte; nothing when the other side has closed.
  func receive() throws(HTTPFailure) -> [UInt8]? {
    if !early.isEmpty {
      defer { early = [] }
      return early
    }
    while true {
      var count = 0
      let bytes = [UInt8](unsafeUninitializedCapacity: 16384) { buffer, initialized in
        count = gnutls_record_recv(session, buffer.baseAddress, buffer.count)
        initialized = max(count, 0)
      }
      if count >= 0 { return bytes }
      if try isBlocked(Int32(count)) { return nil }
    }
  }

  /// True while the session goes on and there is nothing to receive.
  ///
  /// TLS has messages of its own, so the socket may well have bytes.
  var isIdle: Bool {
    guard early.isEmpty else { return false }
    var byte: UInt8 = 0
    let count = gnutls_record_recv(session, &byte, 1)
    if count > 0 { early = [byte] }
    return count < 0 && gnutls_error_is_fatal(Int32(count)) == 0
  }

  /// The events that a call that would block waits for.
  var direction: Int16 { gnutls_record_get_direction(session) == 0 ? Int16(POLLIN) : Int16(POLLOUT) }

  /// Returns true where a status says to wait, and false where it says to go on.
  private func isBlocked(_ status: Int32) throws(HTTPFailure) -> Bool {
    if status == GNUTLS_E_AGAIN { return true }
    guard gnutls_error_is_fatal(status) != 0 else { return false }
    isEstablished = false
    switch status {
    // The connection went away without a word, as one of TCP does.
    case GNUTLS_E_PREMATURE_TERMINATION, GNUTLS_E_PULL_ERROR, GNUTLS_E_PUSH_ERROR, GNUTLS_E_INVALID_SESSION:
      throw .system(ECONNRESET)
    default: throw .tls(TLSTrouble(status, session, peer))
    }
  }

  /// The authorities that vouch for a peer, and the certificate that is shown to it, as the library takes them.
  private static func credentials(_ peer: HTTPPeer) throws(HTTPFailure) -> gnutls_certificate_credentials_t {
    var made: gnutls_certificate_credentials_t?
    guard gnutls_certificate_allocate_credentials(&made) == 0, let made else {
      throw .tls(TLSTrouble("there is no memory for certificates"))
    }
    do throws(HTTPFailure) {
      if let authorities = peer.authorities {
        let count = gnutls_certificate_set_x509_trust_file(made, authorities, GNUTLS_X509_FMT_PEM)
        guard count > 0 else {
          throw .tls(TLSTrouble("\(authorities), which \(peer.setting) names: \(flaw(of: authorities))"))
        }
      } else {
        gnutls_certificate_set_x509_system_trust(made)
      }
      guard let own = peer.certificate else { return made }
      let status = gnutls_certificate_set_x509_key_file(made, own.file, own.key, GNUTLS_X509_FMT_PEM)
      guard status >= 0 else {
        let reason = String(cString: gnutls_strerror(status))
        throw .tls(TLSTrouble("the certificate \(own.file) with the key \(own.key) cannot be shown: \(reason)"))
      }
      return made
    } catch {
      gnutls_certificate_free_credentials(made)
      throw error
    }
  }

  private static func flaw(of file: String) -> String {
    access(file, R_OK) == 0 ? "has no certificate in PEM" : String(cString: strerror(errno))
  }

  /// True for an IP address.
  static func isAddress(_ host: String) -> Bool {
    var bytes = in6_addr()
    return inet_pton(AF_INET, host, &bytes) == 1 || inet_pton(AF_INET6, host, &bytes) == 1
  }
}
