internal import CGnuTLS

/// Digests of bytes.
package enum Digest {
  /// The 32 bytes of SHA-256; `nil` where the library's is switched off.
  ///
  /// The corresponding C function is `gnutls_hash_fast`.
  package static func sha256(_ bytes: [UInt8]) -> [UInt8]? {
    var status: Int32 = -1
    let digest = [UInt8](unsafeUninitializedCapacity: 32) { buffer, count in
      status = gnutls_hash_fast(GNUTLS_DIG_SHA256, bytes, bytes.count, buffer.baseAddress)
      count = status == 0 ? 32 : 0
    }
    return status == 0 ? digest : nil
  }
}
