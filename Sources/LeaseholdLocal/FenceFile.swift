import Glibc
import SystemPackage

/// The high-water mark of fences in a file: fences grow through a reboot even when the wall clock was set back.
///
/// The mark is written ahead of the fences, about once in ten seconds, so that no grant waits for a disk.
struct FenceFile: Sendable {
  private let path: FilePath

  /// Fences count microseconds: ten seconds ahead.
  static let ahead: UInt64 = 10_000_000

  init(directory: String) { path = FilePath(directory).appending("fence") }

  /// The mark; `nil` when there is none.
  func read() -> UInt64? {
    guard let file = try? FileDescriptor.open(path, .readOnly) else { return nil }
    defer { try? file.close() }
    var bytes = [UInt8](repeating: 0, count: 32)
    let count = bytes.withUnsafeMutableBytes { (try? file.read(into: $0)) ?? 0 }
    return UInt64(String(decoding: bytes.prefix(count).prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self))
  }

  /// Writes a mark; the old one stays whole until the new one is.
  func write(_ mark: UInt64) throws(Errno) {
    let fresh = FilePath(path.string + ".new")
    do {
      let file = try FileDescriptor.open(
        fresh, .writeOnly, options: [.create, .truncate], permissions: .ownerReadWrite)
      try file.closeAfter { _ = try file.writeAll("\(mark)\n".utf8) }
    } catch let error as Errno {
      throw error
    } catch {
      throw .ioError
    }
    if rename(fresh.string, path.string) != 0 { throw Errno(rawValue: errno) }
  }
}
