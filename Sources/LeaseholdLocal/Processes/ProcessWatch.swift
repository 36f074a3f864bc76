import Glibc
import Leasehold
import LeaseholdHost
import Synchronization
import SysV
import SystemPackage

/// A process by its handle, or the processes of a cgroup: what the watch holds.
enum WatchedHandle: ~Copyable, Sendable {
  case process(ProcessHandle)
  case cgroup(Cgroup)

  fileprivate func add(to poller: Poller, as token: UInt64) throws(Poller.Failure) {
    switch self {
    case .process(let handle): try poller.add(handle.fileDescriptor.rawValue, for: .reading, as: token)
    case .cgroup(let cgroup): try poller.add(cgroup.events.rawValue, for: .changes, as: token)
    }
  }

  /// Sends a signal to a process; there is none for all of a cgroup.
  fileprivate func send(_ signal: Int32) throws(Errno) {
    switch self {
    case .process(let handle): try handle.send(signal: signal)
    case .cgroup: throw .notPermitted
    }
  }

  /// True when a process is there, or was not waited for; also where that cannot be asked.
  fileprivate var isThere: Bool {
    do {
      try send(0)
      return true
    } catch {
      return error != .noSuchProcess
    }
  }

  /// Returns true when a report says that all is over, which is then reported no more.
  fileprivate func isOver(after poller: Poller) -> Bool {
    switch self {
    case .process: return true
    case .cgroup(let cgroup):
      switch cgroup.population {
      case .none:
        poller.remove(cgroup.events.rawValue)
        return true
      case .unknown:
        // Reported again, and not as fast as may be.
        HostClock.sleep(nanoseconds: 1_000_000)
        return false
      case .some: return false
      }
    }
  }
}

/// A process that is held and watched for as long as there is a reference to it.
final class WatchedProcess: BoundProcess {
  let stamp: ProcessStamp
  fileprivate let handle: WatchedHandle
  fileprivate let identity: ProcessWatch.Identity?
  private let token: UInt64
  private let watch: ProcessWatch
  private let ended = Atomic(false)

  fileprivate init(
    _ handle: consuming WatchedHandle, _ stamp: ProcessStamp, _ identity: ProcessWatch.Identity?, token: UInt64,
    of watch: ProcessWatch
  ) {
    self.handle = handle
    (self.stamp, self.identity, self.token, self.watch) = (stamp, identity, token, watch)
  }

  deinit { watch.forget(token, identity) }

  var hasEnded: Bool { ended.load(ordering: .acquiring) }

  fileprivate func end() { ended.store(true, ordering: .releasing) }

  func stop(_ signal: StopSignal, for user: UInt32?, isAgain: Bool) {
    do throws(LeaseholdError) {
      try checkStop(for: user)
      try send(signal == .kill ? SIGKILL : SIGTERM)
      if isAgain { watch.complain?(stamp.pid, "It does not end though it was killed.") }
    } catch {
      if handle.isThere { watch.complain?(stamp.pid, error.detail) }
    }
  }

  /// Sees that a user, and this service, may send it signals, as kill(2) has it.
  ///
  /// - Parameter mayAll: True when the user may send signals to every process.
  func checkStop(for user: UInt32?, mayAll: Bool = true) throws(LeaseholdError) {
    let facts = ProcessFacts(stamp.pid)
    // Asked after the facts were read: they are of this process if it lives.
    try send(0)
    guard let facts, facts.started == stamp.started else { throw .processUnseen(stamp.pid) }
    guard let user, user == 0 && mayAll || user == facts.uid || user == facts.savedUID else {
      throw .stopDenied(stamp.pid, owner: facts.uid, user)
    }
  }

  /// Sends a signal to this process and no other.
  private func send(_ signal: Int32) throws(LeaseholdError) {
    try explaining(handle.send(signal)) {
      $0 == .notPermitted ? LeaseholdError.stopImpossible(stamp.pid) : .processRefused($0, stamp.pid)
    }
  }
}

/// Says when processes end: one thread for all, one entry for each process however many leases it has.
///
/// The locks: a process that nothing refers to any more takes itself out, perhaps under the ledger's lock; so nothing
/// is reported, and no reference is let go, under the lock of the entries.
final class ProcessWatch: Sendable {
  /// The identity that tells a process from all others while it is held.
  enum Identity: Hashable, Sendable {
    /// Its number and its start.
    case stamp(ProcessStamp)
    /// The inode of its pidfd (Linux 6.9), where its number cannot be seen.
    case inode(UInt64)
  }

  private struct Entry: Sendable {
    weak var process: WatchedProcess?
  }

  private struct State {
    var entries: [UInt64: Entry] = [:]
    var tokens: [Identity: UInt64] = [:]
    var lastToken: UInt64 = 0
  }

  private let state = Mutex(State())
  private let poller = Mutex<Poller?>(nil)
  private let thread = Mutex<HostThread?>(nil)
  private let report: @Sendable (WatchedProcess) -> Void
  fileprivate let complain: (@Sendable (_ pid: Int32, _ why: String) -> Void)?
  private let isStopping = Atomic(false)
  private let processesMax: Int
  /// When the cgroups are looked at next, whatever is reported: nanoseconds of CLOCK_MONOTONIC.
  private let looksAt = Atomic<Int64>(.max)
  /// True when a cgroup came or changed since they were looked at.
  private let isNews = Atomic(false)

  /// Longer than the kernel holds a change of a cgroup back (10 ms from the last one): what it holds back is lost with
  /// a cgroup that is removed meanwhile.
  private static let heldBack: Int64 = 20_000_000
  /// Between two looks at cgroups where nothing is reported.
  private static let pause: Int64 = 1_000_000_000

  /// - Parameters:
  ///   - processesMax: Processes at most.
  ///   - complain: Told why a process cannot be stopped.
  ///   - report: Told on the watch's thread, with no lock held.
  init(
    processesMax: Int, complain: (@Sendable (_ pid: Int32, _ why: String) -> Void)? = nil,
    report: @escaping @Sendable (WatchedProcess) -> Void
  ) {
    (self.processesMax, self.complain, self.report) = (processesMax, complain, report)
  }

  /// Processes that are watched.
  var count: Int { state.withLock { $0.entries.count } }

  /// Watches a process, or answers the one that is watched already.
  ///
  /// `isLimited`: whether the maximum counts, which it does not for what the last daemon accepted.
  func watch(
    _ handle: consuming ProcessHandle, _ stamp: ProcessStamp, isLimited: Bool = true
  ) throws(LeaseholdError) -> WatchedProcess {
    let identity = stamp.isFindable ? Identity.stamp(stamp) : handle.inode.map(Identity.inode)
    return try watch(.process(handle), stamp, identity, isLimited)
  }

  /// The same for the processes of a cgroup; one that was empty once, and is not any more, is watched anew.
  func watch(_ cgroup: consuming Cgroup, isLimited: Bool = true) throws(LeaseholdError) -> WatchedProcess {
    let stamp = cgroup.stamp
    return try watch(.cgroup(cgroup), stamp, .stamp(stamp), isLimited)
  }

  private func watch(
    _ handle: consuming WatchedHandle, _ stamp: ProcessStamp, _ identity: Identity?, _ isLimited: Bool
  ) throws(LeaseholdError) -> WatchedProcess {
    if let known = known(identity), !known.hasEnded { return known }
    let processesMax = processesMax
    let token = state.withLock { state -> UInt64? in
      guard !isLimited || state.entries.count < processesMax else { return nil }
      state.lastToken += 1
      return state.lastToken
    }
    guard let token else { throw .tooManyProcesses(processesMax) }
    let process = WatchedProcess(handle, stamp, identity, token: token, of: self)
    state.withLock { state in
      state.entries[token] = Entry(process: process)
      if let identity { state.tokens[identity] = token }
    }
    do {
      try process.handle.add(to: made(), as: token)
    } catch {
      throw .processRefused(Errno(rawValue: error.errno))
    }
    if process.stamp.isCgroup { lookSoon() }
    return process
  }

  private func lookSoon() {
    isNews.store(true, ordering: .releasing)
    _ = looksAt.min(HostClock.monotonic() + Self.heldBack, ordering: .acquiringAndReleasing)
    poller.withLock(\.self)?.wake()
  }

  private func known(_ identity: Identity?) -> WatchedProcess? {
    guard let identity else { return nil }
    return state.withLock { state in state.tokens[identity].flatMap { state.entries[$0]?.process } }
  }

  fileprivate func forget(_ token: UInt64, _ identity: Identity?) {
    state.withLock { state in
      state.entries[token] = nil
      if let identity, state.tokens[identity] == token { state.tokens[identity] = nil }
    }
  }

  private func made() throws(Poller.Failure) -> Poller {
    try poller.withLock { poller throws(Poller.Failure) in
      if let poller { return poller }
      let made = try Poller()
      poller = made
      return made
    }
  }

  /// Starts the thread, unless it runs or there is nothing to watch.
  ///
  /// Ends that happened before are reported now. False when there cannot be one more thread.
  func start() -> Bool {
    guard let poller = poller.withLock(\.self) else { return true }
    return thread.withLock { thread in
      if thread != nil || isStopping.load(ordering: .acquiring) { return true }
      thread = HostThread(named: "lh-processes") { [self] in run(poller) }
      return thread != nil
    }
  }

  /// Ends the thread.
  func stop() {
    isStopping.store(true, ordering: .sequentiallyConsistent)
    poller.withLock(\.self)?.wake()
    thread.withLock { $0.take() }?.join()
  }

  private func run(_ poller: Poller) {
    while !isStopping.load(ordering: .sequentiallyConsistent) {
      let next = looksAt.load(ordering: .acquiring)
      poller.wait(milliseconds: next == .max ? -1 : HostClock.milliseconds(until: next)) { token in
        guard let process = state.withLock({ $0.entries[token]?.process }) else { return }
        look(at: process, by: poller)
        if process.stamp.isCgroup, !process.hasEnded { lookSoon() }
      }
      if next <= HostClock.monotonic() { lookAtCgroups(by: poller, since: next) }
    }
  }

  private func look(at process: WatchedProcess, by poller: Poller) {
    guard process.handle.isOver(after: poller) else { return }
    process.end()
    report(process)
  }

  private func lookAtCgroups(by poller: Poller, since instant: Int64) {
    // What came just now is looked at once more, when nothing of it can be held back.
    let pause = isNews.exchange(false, ordering: .acquiringAndReleasing) ? Self.heldBack : Self.pause
    let cgroups = state.withLock { $0.entries.values.compactMap(\.process) }
      .filter { $0.stamp.isCgroup && !$0.hasEnded }
    for cgroup in cgroups { look(at: cgroup, by: poller) }
    // One that came meanwhile has said when it wants to be looked at.
    let next = cgroups.isEmpty ? .max : HostClock.monotonic() + pause
    _ = looksAt.compareExchange(expected: instant, desired: next, ordering: .acquiringAndReleasing)
  }
}
