import Leasehold
import LeaseholdHost
import SysV
import SystemPackage

/// Sees to it that one daemon at a time serves an IPC namespace.
///
/// A semaphore taken with SEM_UNDO as the first undo operation of the process and never touched again: the kernel gives
/// it back when the process dies, after every other undo, so the next daemon finds a settled state.
struct DaemonGuard: Sendable {
  /// The set of the control key.
  let set: SemaphoreSet
  private let key: Int32

  /// An odd number, so that a set of another program under the same key is noticed.
  private static let semaphoreCount = 3
  private static let take: [SemaphoreOperation] = [.wait(forZero: 0), .add(1, to: 0, .undo)]

  /// Finds the guard, or makes it.
  init(key: Int32) throws(LocalServiceError) {
    set = try explaining(Self.openOrMake(IPCKey(rawValue: key))) { Self.explain(key, $0) }
    self.key = key
    let status = try explaining(set.status()) { Self.explain(key, $0) }
    guard status.count == Self.semaphoreCount else {
      throw .foreignControlSet(key: key, id: set.id, semaphoreCount: status.count)
    }
    try OwnObject.guard.check(status.permissions, key: key)
  }

  private static func openOrMake(_ key: IPCKey) throws(Errno) -> SemaphoreSet {
    if let found = try ifThere(SemaphoreSet.open(key: key, mode: .ownerReadWrite)) { return found }
    return try .openOrCreate(key: key, count: semaphoreCount, mode: .ownerReadWrite)
  }

  private static func explain(_ key: Int32, _ errno: Errno) -> LocalServiceError {
    guard errno == .permissionDenied else {
      return .making(LocalServiceError.openingGuard, StartLimit(semaphores: semaphoreCount, errno), errno)
    }
    return OwnObject.guard.notPermitted(IPCKey(rawValue: key), errno)
  }

  /// Takes the guard now, or answers the process that has it.
  func tryTake() throws(LocalServiceError) -> Int32? {
    do {
      try set.operate(Self.take, timeout: .zero)
      return nil
    } catch .resourceTemporarilyUnavailable {
      return (try? set.lastProcessID(of: 0)) ?? 0
    } catch {
      throw .kernel(what: "take the guard (semop)", errno: error)
    }
  }

  /// Waits for the guard, and answers the one that was taken: it may be removed and made anew meanwhile.
  ///
  /// Looks every second whether to go on.
  func waitAndTake(while goOn: () -> Bool) throws(LocalServiceError) -> DaemonGuard {
    var waited = self
    while goOn() {
      do {
        try waited.set.operate(Self.take, timeout: .seconds(1))
        return waited
      } catch .resourceTemporarilyUnavailable {
        continue
      } catch .identifierRemoved, .invalidArgument {
        // The daemon that serves makes it anew at once, and has the right of way.
        HostClock.sleep(nanoseconds: 1_000_000_000)
        waited = try DaemonGuard(key: key)
      } catch {
        throw .kernel(what: "wait for the guard (semop)", errno: error)
      }
    }
    throw .canceled
  }

  /// The process that has it, as far as the kernel tells.
  enum Holder {
    case this
    /// The set is gone, or its value was written to 0: the next daemon that takes it has it.
    case nobody
    /// Its value was changed since this process took it.
    case unknown
  }

  /// The process that has it now, after this one took it.
  var holder: Holder {
    do throws(Errno) {
      let value = try set.value(of: 0)
      if value == 0 { return .nobody }
      return try set.lastProcessID(of: 0) == HostFacts.pid ? .this : .unknown
    } catch {
      // Whatever else the kernel says is no sign of another daemon.
      return error.saysGone ? .nobody : .this
    }
  }

  // MARK: Noticing a removal

  /// A semaphore that no program adds to, so that a thread can sleep on it.
  private static let bell: UInt16 = 1

  /// Sleeps until the set is removed or until it rings; not at all where the set is gone.
  ///
  /// The clock looks at the guard each second as well, so nothing is lost where this wakes late.
  func sleepUntilRemoved() {
    do {
      try set.operate([.subtract(1, from: Self.bell)], timeout: .seconds(60))
    } catch .resourceTemporarilyUnavailable, .identifierRemoved, .invalidArgument {
    } catch {
      HostClock.sleep(nanoseconds: 1_000_000_000)
    }
  }

  /// Wakes the thread that sleeps; the caller waits for it, so the kernel is asked until it does.
  func ring() {
    while true {
      do throws(Errno) {
        return try set.operate([.add(1, to: Self.bell)], timeout: .zero)
      } catch {
        if error.saysGone || error == .outOfRange { return }
        HostClock.sleep(nanoseconds: 1_000_000)
      }
    }
  }

  /// Lets it go before the process ends; used by tests that run several daemons in one process.
  func release() { try? set.operate([.subtract(1, from: 0, .undo)], timeout: .zero) }
}
