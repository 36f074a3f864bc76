import Glibc
import SystemPackage

/// What `/proc` tells of a process; true of the process that has the number while it is read.
struct ProcessFacts {
  /// The real user.
  var uid: UInt32
  /// The parent; 0 when it cannot be seen.
  var parent: Int32
  /// Its numbers: in the PID namespace of this process first, in its own last.
  var numbers: [Int32]
  /// When it began, in clock ticks since boot.
  var started: UInt64

  /// Reads `status` and `stat`; `nil` when there is no such process, or when it is hidden (proc(5), hidepid).
  init?(_ pid: Int32) {
    guard let status = Self.read("/proc/\(pid)/status"), let stat = Self.read("/proc/\(pid)/stat"),
      let uid = Self.field("Uid:", of: status)?.first.flatMap({ UInt32($0) }),
      let parent = Self.field("PPid:", of: status)?.first.flatMap({ Int32($0) }),
      // The name in parentheses may hold anything, parentheses too.
      let name = stat.lastIndex(of: ")")
    else { return nil }
    let fields = stat[stat.index(after: name)...].split(separator: " ")
    guard fields.count > Self.startField - 3, let started = UInt64(fields[Self.startField - 3]) else { return nil }
    self.uid = uid
    self.parent = parent
    self.started = started
    numbers = Self.field("NSpid:", of: status)?.compactMap { Int32($0) } ?? [pid]
  }

  /// proc_pid_stat(5); the fields behind the name begin with the third.
  private static let startField = 22

  private static func field(_ name: String, of status: String) -> [Substring]? {
    for line in status.split(separator: "\n") where line.hasPrefix(name) {
      return line.dropFirst(name.count).split(whereSeparator: { $0 == "\t" || $0 == " " })
    }
    return nil
  }

  private static func read(_ path: String) -> String? {
    guard let file = try? FileDescriptor.open(FilePath(path), .readOnly) else { return nil }
    defer { try? file.close() }
    return withUnsafeTemporaryAllocation(byteCount: 8192, alignment: 1) { buffer in
      guard let count = try? file.read(into: buffer), count > 0 else { return nil }
      return String(decoding: buffer[..<count], as: UTF8.self)
    }
  }

  /// The inode of the PID namespace of a process; `nil` where that may not be known.
  static func namespace(of pid: Int32) -> UInt64? {
    var status = stat()
    return stat("/proc/\(pid)/ns/pid", &status) == 0 ? UInt64(status.st_ino) : nil
  }

  /// The inode of this process's own PID namespace; `nil` when `/proc` is another's or is not there.
  static func ownNamespace() -> UInt64? {
    let path = withUnsafeTemporaryAllocation(of: CChar.self, capacity: 32) { buffer -> String? in
      guard let start = buffer.baseAddress else { return nil }
      let count = readlink("/proc/self", start, 31)
      guard count > 0 else { return nil }
      return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
    return path == "\(HostFacts.pid)" ? namespace(of: HostFacts.pid) : nil
  }

  /// The numbers of all processes that can be seen.
  static func all() -> [Int32] {
    guard let directory = opendir("/proc") else { return [] }
    defer { closedir(directory) }
    var numbers: [Int32] = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if let number = Int32(name) { numbers.append(number) }
    }
    return numbers
  }
}
