import Glibc
import Leasehold
import LeaseholdHost

/// The facts of a process in `/proc`; true of the process that has the number while it is read.
struct ProcessFacts {
  /// The real user.
  var uid: UInt32
  /// The saved user, who may send it signals, too (kill(2)).
  var savedUID: UInt32
  /// True when it may send signals to the processes of all users (CAP_KILL).
  var mayKillAll = false
  /// The parent; 0 when it cannot be seen.
  var parent: Int32
  /// Its numbers: in the PID namespace of this process first, in its own last.
  var numbers: [Int32]
  /// When it began, in clock ticks since boot.
  var started: UInt64
  /// The CPU time that it used, with children that it waited for.
  var cpuTime: TimeSpan

  /// Reads `status` and `stat`; `nil` when there is no such process, or when it is hidden (proc(5), hidepid).
  init?(_ pid: Int32) {
    guard let status = HostFacts.text(of: "/proc/\(pid)/status"), let stat = HostFacts.text(of: "/proc/\(pid)/stat")
    else { return nil }
    var (users, parent, numbers): ([UInt32], Int32?, [Int32]?) = ([], nil, nil)
    // As bytes, in one pass: this stands in the way of every grant that is bound to a process.
    for line in status.split(separator: UInt8(ascii: "\n")) {
      if line.starts(with: "Uid:".utf8) { users = Self.numbers(line.dropFirst(4)) }
      if line.starts(with: "CapEff:".utf8) { mayKillAll = Self.hasCapKill(line) }
      if line.starts(with: "PPid:".utf8) { parent = (Self.numbers(line.dropFirst(5)) as [Int32]).first }
      if line.starts(with: "NSpid:".utf8) { numbers = Self.numbers(line.dropFirst(6)) }
    }
    guard users.count > 2, let parent, let use = Self.use(stat) else { return nil }
    (uid, savedUID, self.parent) = (users[0], users[2], parent)
    (started, cpuTime) = (use.started, use.cpuTime)
    self.numbers = numbers ?? [pid]
  }

  /// When a process began and the CPU time that it used, with children that it waited for; `nil` when there is none.
  static func use(of pid: Int32) -> (started: UInt64, cpuTime: TimeSpan)? {
    HostFacts.text(of: "/proc/\(pid)/stat").flatMap(use)
  }

  private static func use(_ stat: [UInt8]) -> (started: UInt64, cpuTime: TimeSpan)? {
    // The name in parentheses may hold anything, parentheses too; the fields behind it begin with the third.
    guard let name = stat.lastIndex(of: UInt8(ascii: ")")) else { return nil }
    let fields = stat[(name + 1)...].split(separator: UInt8(ascii: " "), maxSplits: startField - 2)
    guard fields.count > startField - 3, let started = (numbers(fields[startField - 3]) as [UInt64]).first else {
      return nil
    }
    let ticks = fields[(cpuFields.lowerBound - 3)...(cpuFields.upperBound - 3)].reduce(Int64(0)) {
      $0 &+ ((numbers($1) as [Int64]).first ?? 0)
    }
    return (started, .milliseconds(ticks &* 1000 / ticksPerSecond))
  }

  /// proc_pid_stat(5): the start; user and system time of itself and of children that it waited for.
  private static let (startField, cpuFields) = (22, 14...17)
  private static let ticksPerSecond = Int64(max(1, sysconf(Int32(_SC_CLK_TCK))))

  /// The children of a process, as far as its threads are at most so many and the kernel tells (CONFIG_PROC_CHILDREN);
  /// answers how many files it read.
  static func children(of pid: Int32, threads threadsMax: Int) -> (pids: [Int32], files: Int) {
    let threads = numbers(in: "/proc/\(pid)/task").prefix(threadsMax)
    let pids = threads.flatMap {
      numbers(HostFacts.text(of: "/proc/\(pid)/task/\($0)/children")?[...] ?? []) as [Int32]
    }
    return (pids, threads.count)
  }

  /// Reads the line of the effective capabilities: hexadecimal, a bit for each.
  private static func hasCapKill(_ line: ArraySlice<UInt8>) -> Bool {
    let digits = String(decoding: line.dropFirst(7).drop { $0 <= UInt8(ascii: " ") }, as: UTF8.self)
    return UInt64(digits, radix: 16).map { $0 >> 5 & 1 == 1 } ?? false
  }

  private static func numbers<Number: FixedWidthInteger>(_ text: ArraySlice<UInt8>) -> [Number] {
    text.split { $0 == UInt8(ascii: "\t") || $0 == UInt8(ascii: " ") }
      .compactMap { Number(String(decoding: $0, as: UTF8.self)) }
  }

  /// The name of the program that a process runs, as proc_pid_comm(5) has it: at most 15 bytes, no arguments.
  static func program(_ pid: Int32) -> String? {
    guard let name = HostFacts.text(of: "/proc/\(pid)/comm") else { return nil }
    return String(decoding: name.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
  }

  /// The inode of the PID namespace of a process; `nil` where that may not be known.
  static func namespace(of pid: Int32) -> UInt64? { HostFile.inode(of: "/proc/\(pid)/ns/pid") }

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

  /// The numbers in a folder: of all processes that can be seen, or of the threads of one.
  static func numbers(in folder: String = "/proc") -> [Int32] {
    HostFile.entries(in: folder).entries.compactMap { Int32($0.name) }
  }
}

/// The CPU times that one answer tells of the processes of leases: each costs files of /proc, so they are limited.
struct CPUTimes {
  /// The leases of one answer whose use is told.
  static let leases = 64
  /// The files that may still be read.
  private var files = 1024

  /// The time that a process and all below it used since a lease was asked for; `nil` where it is not to be known, or
  /// there are too many of them.
  mutating func used(_ use: BondUse) -> TimeSpan? {
    guard use.stamp.isFindable, let own = ProcessFacts.use(of: use.stamp.pid), own.started == use.stamp.started else {
      return nil
    }
    var total = own.cpuTime
    var parents = [use.stamp.pid]
    while let parent = parents.popLast() {
      let (children, read) = ProcessFacts.children(of: parent, threads: files)
      files -= read + children.count + 1
      guard files > 0 else { return nil }
      for child in children { if let use = ProcessFacts.use(of: child) { total = total + use.cpuTime } }
      parents += children
    }
    return max(.zero, total - use.before)
  }
}
