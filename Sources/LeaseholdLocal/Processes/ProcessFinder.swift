import Leasehold
import SysV
import SystemPackage

/// Finds the processes that leases shall be bound to, by the names that their callers have for them.
///
/// The order closes the race with numbers that are used again: take hold of the process, read what `/proc` tells of the
/// number, then see that the process still lives. What was read is then of that process.
final class ProcessFinder: Sendable {
  let watch: ProcessWatch
  private let usesPeerHandle: Bool

  /// - Parameter usesPeerHandle: Whether to ask for the peer's pidfd where the kernel has that (Linux 6.5).
  init(_ watch: ProcessWatch, usesPeerHandle: Bool) {
    self.watch = watch
    self.usesPeerHandle = usesPeerHandle
  }

  /// The process of a name, watched.
  func find(_ asked: AskedProcess, of peer: Peer, socket: Int32) throws(LeaseholdError) -> ProcessBinding {
    guard case .local(let pid, let uid, _) = peer else { throw .bindNeedsUnixSocket(asked) }
    let (process, cpuTime) =
      switch asked {
      case .peer: try findPeer(pid, socket)
      case .number(let number): try find(number, of: pid, uid, socket)
      case .cgroup(let path): (try findCgroup(path, of: peer, pid, uid, socket), nil)
      }
    guard watch.start() else { throw .processRefused(.resourceTemporarilyUnavailable) }
    return ProcessBinding(process, name: asked.name, cpuTime: cpuTime)
  }

  /// A process, watched, and the CPU time that it has used.
  private typealias Found = (process: WatchedProcess, cpuTime: TimeSpan?)

  private func findPeer(_ pid: Int32, _ socket: Int32) throws(LeaseholdError) -> Found {
    let handle = try holdPeer(pid, socket)
    let facts = pid > 0 ? ProcessFacts(pid) : nil
    try Self.require(handle, .peer)
    let namespace = facts == nil ? nil : ProcessFacts.ownNamespace()
    return (try watch.watch(handle, Self.stamp(pid, facts, namespace)), facts?.cpuTime)
  }

  private func find(
    _ number: Int32, of peer: Int32, _ uid: UInt32, _ socket: Int32
  ) throws(LeaseholdError) -> Found {
    guard peer > 0, let namespace = ProcessFacts.ownNamespace() else { throw .processUnseen(number) }
    let peerHandle = try holdPeer(peer, socket)
    let peerFacts = ProcessFacts(peer)
    try Self.require(peerHandle, .peer)
    guard let peerFacts else { throw .processUnseen(number) }
    let isNeighbour = peerFacts.numbers.count == 1
    if peerFacts.numbers.last == number {
      // The caller itself, which is held and read already.
      guard uid == 0 || peerFacts.uid == uid else { throw .processOfAnother(number, owner: peerFacts.uid, uid) }
      return (try watch.watch(peerHandle, Self.stamp(peer, peerFacts, namespace)), peerFacts.cpuTime)
    }
    let pid = isNeighbour ? number : try translate(number, of: peer, peerFacts)
    let handle = try explaining(ProcessHandle(processID: pid)) { LeaseholdError.processRefused($0, number) }
    let facts = ProcessFacts(pid)
    try Self.require(handle, .number(number))
    guard let facts, isNeighbour || facts.numbers.count == peerFacts.numbers.count && facts.numbers.last == number
    else { throw .processUnseen(number) }
    guard uid == 0 || facts.uid == uid else { throw .processOfAnother(number, owner: facts.uid, uid) }
    return (try watch.watch(handle, Self.stamp(pid, facts, namespace)), facts.cpuTime)
  }

  /// All processes of a cgroup: the caller's own, or one that it and the service see by the same name.
  private func findCgroup(
    _ named: String?, of peer: Peer, _ pid: Int32, _ uid: UInt32, _ socket: Int32
  ) throws(LeaseholdError) -> WatchedProcess {
    guard pid > 0, ProcessFacts.ownNamespace() != nil else { throw .processUnseen(nil) }
    let handle = try holdPeer(pid, socket)
    let own = CgroupTree.path(of: pid)
    let isNeighbour = named == nil || CgroupTree.isShared(with: pid, of: uid)
    try Self.require(handle, .peer)
    guard isNeighbour else { throw .foreignCgroups() }
    guard let tree = CgroupTree(), let path = named ?? own else { throw .noCgroups() }
    guard path != "/" else { throw .rootCgroup() }
    guard !CgroupTree.holdsThisProcess(path) else { throw .serviceCgroup(path) }
    let cgroup = try explaining(tree.open(path, for: named == nil ? .service : FileCaller(peer, groups: []))) {
      CgroupTree.saysUnseen($0) ? LeaseholdError.cgroupUnseen(named) : .processRefused($0)
    }
    if cgroup.population == .none { throw .emptyCgroup(path) }
    return try watch.watch(cgroup)
  }

  /// The number here of another process than the peer that has a number in the peer's PID namespace, which lies below
  /// this one.
  private func translate(_ number: Int32, of peer: Int32, _ facts: ProcessFacts) throws(LeaseholdError) -> Int32 {
    guard let namespace = ProcessFacts.namespace(of: peer) else { throw .processUnseen(number) }
    func isMeant(_ pid: Int32, _ candidate: ProcessFacts) -> Bool {
      candidate.numbers.count == facts.numbers.count && candidate.numbers.last == number
        && ProcessFacts.namespace(of: pid) == namespace
    }
    // Most often a parent: the script that runs curl.
    var parent = facts.parent
    for _ in 0..<16 {
      guard parent > 0, let candidate = ProcessFacts(parent) else { break }
      if isMeant(parent, candidate) { return parent }
      parent = candidate.parent
    }
    for pid in ProcessFacts.numbers() {
      if let candidate = ProcessFacts(pid), isMeant(pid, candidate) { return pid }
    }
    throw .processEnded(.number(number))
  }

  /// Takes hold of the process that made a connection.
  private func holdPeer(_ pid: Int32, _ socket: Int32) throws(LeaseholdError) -> ProcessHandle {
    if usesPeerHandle {
      do {
        return try ProcessHandle(peerOf: FileDescriptor(rawValue: socket), processID: pid)
      } catch {
        switch error {
        case .protocolNotAvailable: break
        case .noSuchProcess, .invalidArgument: throw .processEnded(.peer)
        default: throw .processRefused(error)
        }
      }
    }
    guard pid > 0 else { throw .processUnseen(nil) }
    return try explaining(ProcessHandle(processID: pid)) {
      $0 == .noSuchProcess ? LeaseholdError.processEnded(.peer) : .processRefused($0)
    }
  }

  /// Returns true when the process lives; never a guess.
  private static func lives(_ handle: borrowing ProcessHandle) throws(Errno) -> Bool {
    while true {
      do {
        return try !handle.hasEnded()
      } catch {
        if error != .interrupted { throw error }
      }
    }
  }

  /// The same, for a caller that is told why that cannot be known.
  private static func require(
    _ handle: borrowing ProcessHandle, _ asked: AskedProcess
  ) throws(LeaseholdError) {
    let lives = try explaining(lives(handle)) { LeaseholdError.processRefused($0) }
    guard lives else { throw .processEnded(asked) }
  }

  private static func stamp(_ pid: Int32, _ facts: ProcessFacts?, _ namespace: UInt64?) -> ProcessStamp {
    guard let facts, let namespace else { return ProcessStamp(namespace: 0, pid: 0, started: 0) }
    return ProcessStamp(namespace: UInt32(truncatingIfNeeded: namespace), pid: pid, started: facts.started)
  }

  // MARK: After a restart

  /// The fates of the processes that leases of the last daemon are bound to.
  func find(_ stamps: [ProcessStamp]) -> [ProcessStamp: ProcessFinding] {
    guard !stamps.isEmpty else { return [:] }
    let namespace = Self.namespace()
    var findings: [ProcessStamp: ProcessFinding] = [:]
    for stamp in stamps where !stamp.isCgroup { findings[stamp] = findPatiently(stamp, namespace) }
    findCgroups(Set(stamps.filter(\.isCgroup)), into: &findings)
    return findings
  }

  /// Looks for cgroups by their ids, in one walk through all.
  private func findCgroups(_ stamps: Set<ProcessStamp>, into findings: inout [ProcessStamp: ProcessFinding]) {
    guard !stamps.isEmpty, let tree = CgroupTree() else { return }
    for (stamp, found) in tree.find(stamps) {
      switch found {
      case .gone: findings[stamp] = .gone
      case .unknown: break
      case .at(let path):
        guard let cgroup = try? tree.open(path, for: .service), cgroup.stamp == stamp else { continue }
        if cgroup.population == .none {
          findings[stamp] = .gone
        } else if let process = try? watch.watch(cgroup, isLimited: false) {
          findings[stamp] = .found(process)
        }
      }
    }
  }

  /// Looks again where the look itself failed: too many files are open, or memory was short for a moment.
  private func findPatiently(_ stamp: ProcessStamp, _ namespace: UInt32?) -> ProcessFinding {
    for _ in 0..<3 {
      let finding = find(stamp, namespace ?? Self.namespace())
      if case .unknown = finding { continue }
      return finding
    }
    return .unknown
  }

  private static func namespace() -> UInt32? {
    ProcessFacts.ownNamespace().map { UInt32(truncatingIfNeeded: $0) }
  }

  private func find(_ stamp: ProcessStamp, _ namespace: UInt32?) -> ProcessFinding {
    guard stamp.isFindable, stamp.namespace == namespace else { return .unknown }
    let handle: ProcessHandle
    do {
      handle = try ProcessHandle(processID: stamp.pid)
    } catch {
      return error == .noSuchProcess || error == .invalidArgument ? .gone : .unknown
    }
    let facts = ProcessFacts(stamp.pid)
    guard let lives = try? Self.lives(handle) else { return .unknown }
    guard lives else { return .gone }
    guard let facts else { return .unknown }
    guard facts.started == stamp.started else { return .gone }
    guard let process = try? watch.watch(handle, stamp, isLimited: false) else { return .unknown }
    return .found(process)
  }
}
