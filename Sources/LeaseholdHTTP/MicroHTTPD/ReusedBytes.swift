import Glibc

/// Bytes of the current request; the memory is kept for the next request of the connection.
struct ReusedBytes: ~Copyable {
  /// More memory than this is not kept.
  private static let keptBytes = 4096

  private var base: UnsafeMutablePointer<UInt8>?
  private var capacity = 0
  private(set) var count = 0

  deinit { free(base) }

  /// The bytes; valid until the next change.
  var bytes: UnsafeBufferPointer<UInt8> { UnsafeBufferPointer(start: base, count: count) }

  /// Appends bytes; false where memory is out.
  mutating func append(_ source: UnsafePointer<UInt8>, count added: Int) -> Bool {
    if count + added > capacity {
      let size = max(count + added, capacity * 2, 128)
      guard let grown = realloc(base, size) else { return false }
      base = grown.assumingMemoryBound(to: UInt8.self)
      capacity = size
    }
    if let base { memcpy(base + count, source, added) }
    count += added
    return true
  }

  /// Forgets the bytes, and the memory if it is large.
  mutating func clear() {
    count = 0
    if capacity > Self.keptBytes {
      free(base)
      base = nil
      capacity = 0
    }
  }
}
