internal import Glibc
internal import JSONText
internal import LeaseholdHost

/// Files of settings and of /proc.
enum TextFile {
  /// The content, at most a megabyte; `nil` when it cannot be read.
  static func read(_ path: String) -> String? {
    let (bytes, failure) = HostFile.read(path, bytesMax: 1 << 20)
    return failure == 0 ? String(decoding: bytes, as: UTF8.self) : nil
  }

  /// The whole numbers in a file.
  static func numbers(_ path: String) -> [Int64]? {
    read(path).map { $0.split(whereSeparator: \.isWhitespace).compactMap { Int64($0) } }
  }

  /// Paths of the files in a folder that end so, in order; none when there is no such folder.
  static func names(in folder: String, suffix: String) -> [String] {
    HostFile.entries(in: folder).entries.map(\.name).filter { $0.hasSuffix(suffix) }.map { folder + "/" + $0 }.sorted()
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
    let isPlain = !word.isEmpty && word.utf8.allSatisfy { $0.isLetterOrDigit || "%+,-./:=@_".utf8.contains($0) }
    return isPlain ? word : "'" + word.replacing("'", with: "'\\''") + "'"
  }
}
