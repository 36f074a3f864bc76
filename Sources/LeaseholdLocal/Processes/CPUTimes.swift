import Leasehold

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
