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

  /// A name in a folder, and the file that has it.
  package struct Entry {
    package let name: String
    package let isFolder: Bool
    package let inode: UInt64
  }

  /// The names in a folder, in no order.
  ///
  /// - Returns: The names, and 0 or the errno of opendir(3) or readdir(3).
  package static func entries(in folder: String) -> (entries: [Entry], errno: Int32) {
    guard let handle = opendir(folder) else { return ([], errno) }
    defer { closedir(handle) }
    var entries: [Entry] = []
    errno = 0
    while let entry = readdir(handle) {
      let (kind, inode) = (Int(entry.pointee.d_type), UInt64(entry.pointee.d_ino))
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      entries.append(Entry(name: name, isFolder: kind == Int(DT_DIR), inode: inode))
      errno = 0
    }
    return (entries, errno)
  }

  /// The inode that a path leads to; `nil` where that may not be known.
  package static func inode(of path: String) -> UInt64? {
    var status = stat()
    return stat(path, &status) == 0 ? UInt64(status.st_ino) : nil
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
