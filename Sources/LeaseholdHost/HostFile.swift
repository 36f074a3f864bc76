import Glibc

/// Files that are read whole.
package enum HostFile {
  /// Reads to the end, or a little beyond `most` bytes; of a read that failed, also what came before.
  ///
  /// - Returns: The bytes, and 0 or the errno of read(2).
  package static func read(_ descriptor: Int32, most: Int = .max) -> (bytes: [UInt8], errno: Int32) {
    var all: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 16 << 10)
    while all.count <= most {
      let count = Glibc.read(descriptor, &chunk, chunk.count)
      if count < 0, errno == EINTR { continue }
      if count <= 0 { return (all, count < 0 ? errno : 0) }
      all += chunk[..<count]
    }
    return (all, 0)
  }
}
