import CGnuTLS

/// A certificate with its chain and its private key, both in PEM, that belong together.
struct Certificate: Sendable {
  /// The certificate, then those that vouch for it.
  let certificate: [UInt8]
  let key: [UInt8]

  /// Sees whether a listener could serve with them: libmicrohttpd would only say that it does not start.
  ///
  /// - Returns: Why not, in the library's words; `nil` when all is well.
  ///
  /// The corresponding C function is `gnutls_certificate_set_x509_key_mem`.
  func defect() -> String? {
    var credentials: gnutls_certificate_credentials_t?
    guard gnutls_certificate_allocate_credentials(&credentials) == 0, let credentials else {
      return "there is no memory for them"
    }
    defer { gnutls_certificate_free_credentials(credentials) }
    let status = datum(certificate) { certificate in
      datum(key) { key in
        gnutls_certificate_set_x509_key_mem(credentials, &certificate, &key, GNUTLS_X509_FMT_PEM)
      }
    }
    return status < 0 ? String(cString: gnutls_strerror(status)) : nil
  }

  private func datum(_ bytes: [UInt8], _ body: (inout gnutls_datum_t) -> Int32) -> Int32 {
    var bytes = bytes
    return bytes.withUnsafeMutableBufferPointer { bytes in
      var datum = gnutls_datum_t(data: bytes.baseAddress, size: UInt32(bytes.count))
      return body(&datum)
    }
  }
}
