import Glibc

/// Certificate and key as the C strings that libmicrohttpd reads when it starts.
struct TLSTexts {
  let certificate: UnsafeMutableRawPointer?
  let key: UnsafeMutableRawPointer?
  /// TLS 1.2 and 1.3, without what the library calls less than 128 bits.
  let priorities: UnsafeMutableRawPointer?

  private let keyBytes: Int

  init(_ source: Certificate) {
    certificate = Self.copy(source.certificate)
    key = Self.copy(source.key)
    keyBytes = source.key.count
    priorities = Self.copy(Array("SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2".utf8))
  }

  private static func copy(_ bytes: [UInt8]) -> UnsafeMutableRawPointer? {
    guard let memory = malloc(bytes.count + 1) else { return nil }
    bytes.withUnsafeBytes { if let base = $0.baseAddress { memcpy(memory, base, bytes.count) } }
    memory.storeBytes(of: 0, toByteOffset: bytes.count, as: UInt8.self)
    return memory
  }

  /// Gives the memory back.
  ///
  /// The corresponding C function is `explicit_bzero`.
  func wipe() {
    if let key { explicit_bzero(key, keyBytes) }
    for memory in [certificate, key, priorities] { free(memory) }
  }
}
