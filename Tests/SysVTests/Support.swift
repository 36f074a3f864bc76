import Glibc
import SysV
import SystemPackage
import Testing

/// Runs the body with a new private set, and removes it whatever happens.
func withSet<R>(_ count: Int = 1, _ values: [UInt16]? = nil, _ body: (SemaphoreSet) throws -> R) throws -> R {
  let set = try SemaphoreSet.create(count: count)
  defer { try? set.remove() }
  if let values { try set.setValues(values) }
  return try body(set)
}

/// Runs the body with a new private segment, and removes it whatever happens.
func withSegment<R>(_ byteCount: Int = 8192, _ body: (SharedMemorySegment) throws -> R) throws -> R {
  let segment = try SharedMemorySegment.create(byteCount: byteCount)
  defer { try? segment.remove() }
  return try body(segment)
}

extension IPCKey {
  /// A key that nobody else has, in all likelihood.
  static func random() -> IPCKey { IPCKey(rawValue: .random(in: 1 ... .max)) }
}

/// What a shell command prints, and its exit status.
func shell(_ command: String) -> (output: String, status: Int32) {
  guard let stream = popen(command, "r") else { return ("", -1) }
  var output: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: 4096)
  while case let count = fread(&buffer, 1, buffer.count, stream), count > 0 { output += buffer[..<count] }
  return (String(decoding: output, as: UTF8.self), pclose(stream))
}

/// The rows of a file in /proc, split into words, without the headline.
func rows(of path: String) -> [[String]] {
  shell("cat \(path)").output.split(separator: "\n").dropFirst().map { $0.split(separator: " ").map(String.init) }
}

/// The numbers in a file of one line.
func numbers(in path: String) -> [UInt] {
  shell("cat \(path)").output.split(whereSeparator: \.isWhitespace).compactMap { UInt($0) }
}
