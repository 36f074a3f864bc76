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
}

/// Words of a command line.
enum ShellWord {
  /// The word as a shell reads it back, in quotes where it needs them.
  static func quoted(_ word: String) -> String {
    let isPlain = !word.isEmpty && word.utf8.allSatisfy { $0.isLetterOrDigit || "%+,-./:=@_".utf8.contains($0) }
    return isPlain ? word : "'" + word.replacing("'", with: "'\\''") + "'"
  }
}
