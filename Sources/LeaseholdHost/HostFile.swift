import Glibc

/// Files and folders that are read whole.
package enum HostFile {
  /// Reads a file to its end, or a little beyond `bytesMax` bytes.
  ///
  /// - Returns: The bytes, and 0 or the errno of open(2) or read(2).
  package static func read(_ path: String, bytesMax: Int = .max) -> (bytes: [UInt8], errno: Int32) {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)
    guard descriptor >= 0 else { return ([], errno) }
    defer { close(descriptor) }
    return read(descriptor, bytesMax: bytesMax)
  }

  /// The names in a folder, in no order; none when it cannot be read.
  package static func names(in folder: String) -> [String] {
    guard let handle = opendir(folder) else { return [] }
    defer { closedir(handle) }
    var names: [String] = []
    while let entry = readdir(handle) {
      names.append(
        withUnsafePointer(to: &entry.pointee.d_name) {
          $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        })
    }
    return names
  }

  /// Reads to the end, or a little beyond `bytesMax` bytes; of a read that failed, also what came before.
  ///
  /// - Returns: The bytes, and 0 or the errno of read(2).
  package static func read(_ descriptor: Int32, bytesMax: Int = .max) -> (bytes: [UInt8], errno: Int32) {
    var all: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 16 << 10)
    while all.count <= bytesMax {
      let count = Glibc.read(descriptor, &chunk, chunk.count)
      if count < 0, errno == EINTR { continue }
      if count <= 0 { return (all, count < 0 ? errno : 0) }
      all += chunk[..<count]
    }
    return (all, 0)
  }
}
