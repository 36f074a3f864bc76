internal import Glibc
internal import LeaseholdHost

/// Files of settings and of /proc.
enum TextFile {
  /// The content, at most a megabyte; `nil` when it cannot be read.
  static func read(_ path: String) -> String? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    let (bytes, failure) = HostFile.read(descriptor, most: 1 << 20)
    return failure == 0 ? String(decoding: bytes, as: UTF8.self) : nil
  }

  /// The whole numbers in a file.
  static func numbers(_ path: String) -> [Int64]? {
    read(path).map { $0.split(whereSeparator: \.isWhitespace).compactMap { Int64($0) } }
  }

  /// Paths of the files in a folder that end so, in order; none when there is no such folder.
  static func names(in folder: String, suffix: String) -> [String] {
    guard let handle = opendir(folder) else { return [] }
    defer { closedir(handle) }
    var names: [String] = []
    while let entry = readdir(handle) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name.hasSuffix(suffix) { names.append(folder + "/" + name) }
    }
    return names.sorted()
  }

  /// Where a link leads.
  static func link(_ path: String) -> String? {
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = bytes.withUnsafeMutableBytes { buffer in
      buffer.baseAddress.map { readlink(path, $0.assumingMemoryBound(to: CChar.self), buffer.count) } ?? -1
    }
    return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : nil
  }
}

/// Words of a command line.
enum ShellWord {
  /// The word as a shell reads it back, in quotes where it needs them.
  static func quoted(_ word: String) -> String {
    let isPlain =
      !word.isEmpty
      && word.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        case UInt8(ascii: "0")...UInt8(ascii: "9"): true
        default: "%+,-./:=@_".utf8.contains(byte)
        }
      }
    return isPlain ? word : "'" + word.replacing("'", with: "'\\''") + "'"
  }
}
